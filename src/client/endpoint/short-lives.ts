/** A connection, as far as it tells whether its peer serves. */
export interface Life {
	/** It has answered a call, or lasted a second. */
	readonly hasServed: boolean;
	/** It was this side that wanted no more of it. */
	readonly isRetired: boolean;
	readonly connection: { readonly openCalls: number };
}

/** With so many in a row that did not serve, the peer is left alone for a while. */
const TOLERATED = 2;

/**
 * Tells a peer that ends its connections before they have served from one that serves: that one may end as many as it likes,
 * as soon as it likes, and the next is made at once.
 */
export class ShortLives {
	/** Those that ended without having served, since one has. */
	#inARow = 0;
	/** They end while they have calls, which they may yet answer. */
	#undecided: Set<Life> | undefined;

	/** One takes no new calls any more. true: the peer is to be left alone for a while. */
	lost(life: Life): boolean {
		if (life.hasServed) {
			this.#inARow = 0;
			return false;
		}
		if (life.isRetired) return false;
		if (isFruitless(life)) {
			this.#inARow += 1;
		} else {
			this.#undecided ??= new Set();
			this.#undecided.add(life);
		}
		return this.#inARow >= TOLERATED;
	}

	/** One is gone. */
	closed(life: Life): void {
		if (!this.#undecided?.delete(life)) return;
		if (life.hasServed) this.#inARow = 0;
		else this.#inARow += 1;
	}
}

/** Nobody has had anything of it, and nobody will. */
export function isFruitless(life: Life): boolean {
	const { hasServed, isRetired, connection } = life;
	return !hasServed && !isRetired && connection.openCalls === 0;
}
