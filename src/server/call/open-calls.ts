/** An object that `OpenCalls` can hold. */
export interface Placed {
	/** Its index in the list. Only `OpenCalls` writes it. */
	place: number;
}

/** The open calls of a server, in no order. To add or delete one takes constant time and, unlike a Set, no memory. */
export class OpenCalls<C extends Placed> implements Iterable<C> {
	readonly #calls: C[] = [];

	get size(): number {
		return this.#calls.length;
	}

	add(call: C): void {
		call.place = this.#calls.length;
		this.#calls.push(call);
	}

	/** Removes a call that was added. */
	delete(call: C): void {
		const last = this.#calls.pop() as C;
		if (last === call) return;
		this.#calls[call.place] = last;
		last.place = call.place;
	}

	/** Iterates over the calls that are open at the moment: they may end meanwhile. */
	[Symbol.iterator](): Iterator<C> {
		return this.#calls.slice()[Symbol.iterator]();
	}
}
