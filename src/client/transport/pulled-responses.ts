import type { StreamResponse } from "@connectrpc/connect";
import { AsyncQueue, type QueueOwner } from "../../wire/async-queue.ts";

/** The call whose responses are pulled. */
export interface PullingCall {
	/** All responses have been read. */
	responsesEnded(trailer: Headers): void;
	/** The transport has failed to give the next response. Aborts the responses. */
	responsesFailed(error: unknown): void;
	/** The iteration of the responses has ended, one way or the other. Once; not if the transport has given no response. */
	trailerCame(trailer: Headers): void;
}

type Response<M> = Pick<StreamResponse, "trailer"> & {
	readonly message: AsyncIterable<M>;
};

/**
 * The responses of a Connect Transport, pulled one by one as they are read. Several reads may wait at the same time, even
 * if the transport's iteration does not allow that. An abort answers them at once, even if the transport ignores it.
 */
export class PulledResponses<M extends object> implements QueueOwner<M, M> {
	readonly #response: Promise<Response<M>>;
	readonly #call: PullingCall;
	/** Here reads wait. Messages never do: none is pulled before somebody reads it. */
	readonly #reads = new AsyncQueue<M>(this);
	#iterating: Promise<AsyncIterator<M>> | undefined;
	#iterator: AsyncIterator<M> | undefined;
	/** An iteration that has thrown has ended: it is not left. */
	#hasThrown = false;
	#isPulling = false;
	/** Until it has been told. */
	#trailer: Headers | undefined;

	constructor(response: Promise<Response<M>>, call: PullingCall) {
		this.#response = response;
		this.#call = call;
	}

	/** The next response as the step of an iteration. */
	next(): Promise<IteratorResult<M, undefined>> {
		const next = this.#reads.next();
		if (this.#reads.isAwaited && !this.#isPulling) void this.#pull();
		return next;
	}

	/** The next response, or undefined at the end. */
	read(): Promise<M | undefined> {
		const next = this.#reads.read();
		if (this.#reads.isAwaited && !this.#isPulling) void this.#pull();
		return next;
	}

	/** The call has failed: all reads reject. The iteration may clean up; what it throws then is ignored. */
	abort(error: unknown): void {
		if (!this.#reads.isOpen) return;
		this.#reads.abort(error);
		if (!this.#hasThrown) void this.#leave();
	}

	open(message: M): M {
		return message;
	}

	async #pull(): Promise<void> {
		this.#isPulling = true;
		try {
			const iterator = this.#iterator ?? (await this.#iterated());
			while (this.#reads.isAwaited) {
				const step = await iterator.next();
				if (step.done) {
					this.#call.responsesEnded(this.#trailer as Headers);
					this.#tellTrailer();
					this.#reads.end();
				} else {
					this.#reads.push(step.value);
				}
			}
		} catch (error) {
			this.#hasThrown = true;
			this.#call.responsesFailed(error);
			this.#tellTrailer();
		}
		this.#isPulling = false;
	}

	#iterated(): Promise<AsyncIterator<M>> {
		this.#iterating ??= this.#iterate();
		return this.#iterating;
	}

	async #iterate(): Promise<AsyncIterator<M>> {
		const { message, trailer } = await this.#response;
		this.#trailer = trailer;
		this.#iterator = message[Symbol.asyncIterator]();
		return this.#iterator;
	}

	async #leave(): Promise<void> {
		try {
			const iterator = this.#iterator ?? (await this.#iterated());
			await iterator.return?.();
		} catch {}
		this.#tellTrailer();
	}

	#tellTrailer(): void {
		const trailer = this.#trailer;
		if (trailer === undefined) return;
		this.#trailer = undefined;
		this.#call.trailerCame(trailer);
	}
}
