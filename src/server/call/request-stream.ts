import { AsyncQueue, type QueueOwner } from "../../wire/async-queue.ts";
import type { ServerCall } from "../../wire/connection.ts";
import { ownBytes } from "../../wire/own-bytes.ts";

/** The call that a stream of requests belongs to. */
export interface RequestStreamOwner {
	/** Decodes a request. Ends the call, and throws, if the bytes are malformed. */
	decode(bytes: Uint8Array): unknown;
}

/** The requests of a streaming call, on their way to its handler. They are decoded when the handler reads them. */
export class RequestStream implements QueueOwner<Uint8Array, unknown> {
	/** What the handler iterates over. */
	readonly requests: AsyncQueue<Uint8Array, unknown> = new AsyncQueue(this);
	readonly #call: ServerCall;
	readonly #owner: RequestStreamOwner;

	constructor(call: ServerCall, owner: RequestStreamOwner) {
		this.#call = call;
		this.#owner = owner;
	}

	push(bytes: Uint8Array): void {
		const { requests } = this;
		requests.push(requests.isAwaited ? bytes : ownBytes(bytes));
	}

	// What the queue asks and tells.

	open(bytes: Uint8Array): unknown {
		return this.#owner.decode(bytes);
	}

	bytesOf({ length }: Uint8Array): number {
		return length;
	}

	hold(): void {
		this.#call.hold();
	}

	release(): void {
		this.#call.release();
	}
}
