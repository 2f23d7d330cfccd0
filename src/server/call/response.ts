import { Code, ConnectError } from "@connectrpc/connect";
import type { ServerCall } from "../../wire/connection.ts";
import { compress } from "../../wire/gzip.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { deflatesLater, isCompressed } from "../../wire/message-compression.ts";
import {
	MessageQueue,
	type MessageQueueOwner,
} from "../../wire/message-queue.ts";
import type { Turns } from "../../wire/turns.ts";
import {
	checkHeaderBytes,
	okTrailers,
	responseHeaders,
	trailersOf,
	unsendable,
} from "./response-headers.ts";

/** How the messages of a response travel. */
export interface ResponseTerms {
	/** The request's own, which the response repeats. */
	readonly contentType: string;
	/** How messages travel that are worth compressing. */
	readonly compression: "gzip" | undefined;
	/** Where large messages wait for their turn to be deflated. */
	readonly deflations: Turns;
}

/** Who makes a response. */
export interface ResponseOwner {
	/** There may be room again after a `write` that returned false. */
	writable(): void;
}

/** The response of one call: headers, messages and a status, in that order (PROTOCOL-HTTP2, "Responses"). */
export class Response implements MessageQueueOwner {
	readonly #call: ServerCall;
	readonly #terms: ResponseTerms;
	readonly #owner: ResponseOwner;
	#state: "open" | "responding" | "over" = "open";
	/** While a message is deflated on another thread: it and those behind it. */
	#queue: MessageQueue | undefined;

	constructor(call: ServerCall, terms: ResponseTerms, owner: ResponseOwner) {
		this.#call = call;
		this.#terms = terms;
		this.#owner = owner;
	}

	/**
	 * Sends the response headers, with metadata. Only the first call does something.
	 *
	 * @throws ConnectError RESOURCE_EXHAUSTED for more metadata than the client takes, INTERNAL for what metadata cannot hold
	 */
	respond(metadata: Headers | undefined): void {
		if (this.#state !== "open") return;
		const { contentType, compression } = this.#terms;
		const headers = responseHeaders(contentType, compression, metadata);
		checkHeaderBytes("headers", headers, this.#call.maxHeaderBytes);
		this.#state = "responding";
		this.#call.respond(headers);
	}

	/** Sends one message, after `respond`. Returns false when the owner should wait for `writable`. */
	write(message: Uint8Array): boolean {
		if (this.#state !== "responding") return false;
		const { compression, deflations } = this.#terms;
		if (this.#queue !== undefined || deflatesLater(message, compression)) {
			this.#queue ??= new MessageQueue(deflations, this);
			this.#queue.push(message);
			return false;
		}
		const compressed = isCompressed(message, compression);
		return this.#call.send(
			compressed ? compress(message) : message,
			compressed,
		);
	}

	/**
	 * Ends the call: with OK, if there is no `error`; as Trailers-Only, if `respond` was not called before. `last` is a last
	 * message, which leaves together with the status.
	 */
	finish(
		error: ConnectError | undefined,
		metadata: Headers | undefined,
		last?: Uint8Array,
	): void {
		if (this.#state === "over") return;
		const trailers = this.#trailersOf(error, metadata);
		const { compression } = this.#terms;
		if (last !== undefined && deflatesLater(last, compression)) {
			this.write(last);
			this.#finishQueued(trailers, undefined);
		} else {
			this.#finishQueued(trailers, last);
		}
	}

	/** As `finish`, but cuts off a client that reads too slowly what is on its way to it. */
	abandon(error: ConnectError, metadata: Headers | undefined): void {
		if (this.#state === "over") return;
		this.#queue?.stop();
		this.#queue = undefined;
		if (this.#call.isBlocked) this.#cancel();
		else this.finish(error, metadata);
	}

	/** Messages wait behind one that is deflated: there is no room for more. */
	get isDeflating(): boolean {
		return this.#queue !== undefined;
	}

	/** Flow control holds some of it back, or it is being deflated: whether it is over or not. */
	get isUnsent(): boolean {
		return this.#queue !== undefined || this.#call.isBlocked;
	}

	/** Drops what is still unsent. */
	cutOff(): void {
		if (this.isUnsent) this.#cancel();
	}

	/** The stream has closed: nothing more can be sent. */
	close(): void {
		this.#state = "over";
		this.#queue?.stop();
		this.#queue = undefined;
	}

	// What the queue tells.

	send(message: Uint8Array, compressed: boolean): void {
		this.#call.send(message, compressed);
	}

	emptied(): void {
		this.#queue = undefined;
		if (this.#state !== "over" && !this.#call.isBlocked) this.#owner.writable();
	}

	failed(error: Error): void {
		this.#queue = undefined;
		this.finish(ConnectError.from(error, Code.Internal), undefined);
	}

	#finishQueued(trailers: RawHeaders, last: Uint8Array | undefined): void {
		if (this.#queue === undefined) {
			this.#send(trailers, last);
			return;
		}
		if (last !== undefined) this.#queue.push(last);
		this.#queue.whenSent(() => this.#send(trailers, undefined));
	}

	#send(trailers: RawHeaders, last: Uint8Array | undefined): void {
		this.#state = "over";
		this.#queue?.stop();
		this.#queue = undefined;
		const compressed =
			last !== undefined && isCompressed(last, this.#terms.compression);
		this.#call.finish(trailers, compressed ? compress(last) : last, compressed);
	}

	#cancel(): void {
		this.close();
		this.#call.cancel();
	}

	#trailersOf(
		error: ConnectError | undefined,
		metadata: Headers | undefined,
	): RawHeaders {
		const only = this.#state === "open" ? this.#terms.contentType : undefined;
		if (error === undefined && metadata === undefined && only === undefined) {
			return okTrailers;
		}
		try {
			const trailers = trailersOf(error, metadata, only);
			checkHeaderBytes("trailers", trailers, this.#call.maxHeaderBytes);
			return trailers;
		} catch (thrown) {
			if (!(thrown instanceof ConnectError)) throw thrown;
			return trailersOf(unsendable(thrown, error), undefined, only);
		}
	}
}

/** Answers a call that cannot be served with its status alone (Trailers-Only), and what else the headers should say. */
export function refuseCall(
	call: ServerCall,
	contentType: string,
	error: ConnectError,
	further: RawHeaders = [],
): void {
	const trailers = trailersOf(error, undefined, contentType, further);
	call.finish(trailers, undefined, false);
}

/** Answers a request that is not gRPC's at all. */
export function refuseRequest(call: ServerCall, httpStatus: number): void {
	call.finish([":status", String(httpStatus)], undefined, false);
}
