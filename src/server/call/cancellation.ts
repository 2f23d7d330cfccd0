import type { ConnectError } from "@connectrpc/connect";

type Listener = (reason: unknown) => void;

/** Tells the handler of a call, and the calls that it makes, that the call has ended. Created when one of them asks. */
export class Cancellation {
	#controller: AbortController | undefined;
	#listeners: Set<Listener> | undefined;
	#outcome: "completed" | ConnectError | undefined;

	/** `outcome`: how the call has ended; undefined if it has not. */
	constructor(outcome: "completed" | ConnectError | undefined) {
		this.#outcome = outcome;
	}

	/** Fires when the call is cancelled, and when its handler ends. Created when it is first asked for. */
	get signal(): AbortSignal {
		if (this.#controller === undefined) {
			this.#controller = new AbortController();
			if (this.#outcome !== undefined) this.#abort(this.#outcome);
		}
		return this.#controller.signal;
	}

	/**
	 * Calls `listener` when the call is cancelled, at once if it has been, and never when the handler ends first. Returns a
	 * function that removes the listener.
	 */
	onCancel(listener: Listener): () => void {
		const outcome = this.#outcome;
		if (outcome !== undefined && outcome !== "completed") listener(outcome);
		if (outcome !== undefined) return () => {};
		// One entry for each registration: the same function may be registered twice.
		const entry: Listener = (reason) => listener(reason);
		this.#listeners ??= new Set();
		this.#listeners.add(entry);
		return () => this.#listeners?.delete(entry);
	}

	/** The call ends before its handler does. */
	cancel(reason: ConnectError): void {
		if (this.#outcome !== undefined) return;
		this.#outcome = reason;
		const listeners = this.#listeners;
		this.#listeners = undefined;
		this.#abort(reason);
		for (const listener of listeners ?? []) listener(reason);
	}

	/** The handler has ended: the signal fires, as Connect's does, and the listeners are dropped. */
	complete(): void {
		if (this.#outcome !== undefined) return;
		this.#outcome = "completed";
		this.#listeners = undefined;
		this.#abort("completed");
	}

	#abort(outcome: "completed" | ConnectError): void {
		this.#controller?.abort(outcome === "completed" ? undefined : outcome);
	}
}
