import type { ConnectError } from "@connectrpc/connect";
import type { CallScope } from "../../policy/call-scope.ts";
import type { Clock } from "../../policy/clock.ts";

type Listener = (reason: unknown) => void;

/** Until when a call lives, and who hears when it ends early. */
export class CallLifetime implements CallScope {
	readonly deadline: number | undefined;
	readonly #clock: Clock;
	#listeners: Set<Listener> | undefined;
	#controller: AbortController | undefined;
	#reason: ConnectError | undefined;
	#ended = false;

	/** `timeoutMs`: from now. */
	constructor(clock: Clock, timeoutMs: number | undefined) {
		this.#clock = clock;
		this.deadline =
			timeoutMs === undefined ? undefined : clock.now() + timeoutMs;
	}

	/** Milliseconds until the deadline, negative after it. */
	get remainingMs(): number | undefined {
		return this.deadline === undefined
			? undefined
			: this.deadline - this.#clock.now();
	}

	/** Why the call was cancelled; undefined when it was not. */
	get reason(): ConnectError | undefined {
		return this.#reason;
	}

	/** Made when it is asked for. */
	get signal(): AbortSignal {
		if (this.#controller === undefined) {
			this.#controller = new AbortController();
			if (this.#ended) this.#controller.abort(this.#reason);
		}
		return this.#controller.signal;
	}

	onCancel(listener: Listener): () => void {
		if (this.#reason !== undefined) listener(this.#reason);
		if (this.#ended) return () => {};
		// One entry a registration, though the same function may be registered twice.
		const entry: Listener = (reason) => listener(reason);
		this.#listeners ??= new Set();
		this.#listeners.add(entry);
		return () => this.#listeners?.delete(entry);
	}

	/** The call ends before its handler does. */
	cancel(reason: ConnectError): void {
		if (this.#ended) return;
		this.#ended = true;
		this.#reason = reason;
		const listeners = this.#listeners;
		this.#listeners = undefined;
		this.#controller?.abort(reason);
		for (const listener of listeners ?? []) listener(reason);
	}

	/** The handler has ended: the signal fires, as Connect's does, and nobody hears of a cancellation. */
	complete(): void {
		if (this.#ended) return;
		this.#ended = true;
		this.#listeners = undefined;
		this.#controller?.abort();
	}
}
