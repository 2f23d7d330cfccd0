import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ServerCall } from "../../wire/connection.ts";
import {
	DeflationQueue,
	type DeflationQueueOwner,
} from "../../wire/gzip/deflation-queue.ts";
import { compress } from "../../wire/gzip/gzip.ts";
import {
	deflatesLater,
	isCompressed,
} from "../../wire/gzip/message-compression.ts";
import type { Turns } from "../../wire/gzip/turns.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import type { Arrival } from "./arrival.ts";
import { malformedStatus } from "./call-errors.ts";
import {
	checkHeaderBytes,
	hasAny,
	okTrailers,
	responseHeaders,
	trailersOf,
	unsendable,
} from "./response-headers.ts";

/** How the messages of a response travel. */
export interface ResponseTerms {
	/** How messages are compressed that are worth it. */
	readonly compression: "gzip" | undefined;
	/** Where large messages wait for their turn to be deflated. */
	readonly deflations: Turns;
}

/** The call that a response belongs to. */
export interface ResponseOwner {
	readonly method: DescMethod;
	/** There may be room again after a `write` that returned false. */
	writable(): void;
	/** Something of the response could not be sent. */
	report(error: unknown): void;
}

/** The response of one call: headers, messages and a status, in that order (PROTOCOL-HTTP2, "Responses"). */
export class Response implements DeflationQueueOwner {
	readonly #call: ServerCall;
	/** The content-type of the request, which the response repeats. */
	readonly #contentType: string;
	readonly #terms: ResponseTerms;
	readonly #owner: ResponseOwner;
	#state: "open" | "responding" | "over" = "open";
	/** While a message is deflated on another thread: it and those behind it. */
	#queue: DeflationQueue | undefined;

	constructor(
		{ call, contentType = "application/grpc" }: Arrival,
		terms: ResponseTerms,
		owner: ResponseOwner,
	) {
		this.#call = call;
		this.#contentType = contentType;
		this.#terms = terms;
		this.#owner = owner;
	}

	/**
	 * Sends the response headers, with metadata. Only the first call has an effect.
	 *
	 * @throws ConnectError RESOURCE_EXHAUSTED for more metadata than the client takes, INTERNAL for what metadata cannot hold
	 */
	respond(metadata: Headers | undefined): void {
		if (this.#state !== "open") return;
		const { compression } = this.#terms;
		const headers = responseHeaders(this.#contentType, compression, metadata);
		checkHeaderBytes("headers", headers, this.#call.maxHeaderBytes);
		this.#state = "responding";
		this.#call.respond(headers);
	}

	/** Sends one message, after `respond`. Returns false when the owner should wait for `writable`. */
	write(message: Uint8Array): boolean {
		if (this.#state !== "responding") return false;
		const { compression, deflations } = this.#terms;
		if (this.#queue !== undefined || deflatesLater(message, compression)) {
			this.#queue ??= new DeflationQueue(deflations, this);
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
	 * Ends the call: with OK, if there is no `error`; as Trailers-Only, if there were no headers before and there are none now.
	 * `last` is a last message, which leaves together with the status. Metadata that cannot be sent is reported, and fails the
	 * call. Returns the code of the status, undefined for OK.
	 */
	finish(
		error: ConnectError | undefined,
		header: Headers | undefined,
		trailer: Headers | undefined,
		last?: Uint8Array,
	): Code | undefined {
		if (this.#state === "over") return error?.code;
		let failure = error;
		let message = last;
		try {
			if (message !== undefined || hasAny(header)) this.respond(header);
		} catch (thrown) {
			this.#owner.report(thrown);
			failure ??= thrown as ConnectError;
			message = undefined;
		}
		let trailers: RawHeaders;
		try {
			trailers = this.#trailersOf(failure, trailer);
		} catch (thrown) {
			// Such as error details that are no valid messages.
			this.#owner.report(thrown);
			failure = malformedStatus(this.#owner.method);
			trailers = this.#trailersOf(failure, undefined);
		}
		const { compression } = this.#terms;
		if (message !== undefined && deflatesLater(message, compression)) {
			this.write(message);
			message = undefined;
		}
		this.#finishQueued(trailers, message);
		return failure?.code;
	}

	/** As `finish`, but cuts off a client that reads too slowly what is on its way to it. */
	abandon(error: ConnectError, trailer: Headers | undefined): void {
		if (this.#state === "over") return;
		this.#queue?.stop();
		this.#queue = undefined;
		if (this.#call.isBlocked) this.#cancel();
		else this.finish(error, undefined, trailer);
	}

	/** Whether messages wait behind one that is being deflated. There is no room for more then. */
	get isDeflating(): boolean {
		return this.#queue !== undefined;
	}

	/** Whether a part of it has not left, because of flow control or because it is being deflated. */
	get isUnsent(): boolean {
		return this.#queue !== undefined || this.#call.isBlocked;
	}

	/** Drops what has not left, and resets the stream. */
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
		this.finish(ConnectError.from(error, Code.Internal), undefined, undefined);
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
		const only = this.#state === "open" ? this.#contentType : undefined;
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

/** Answers a call that cannot be served with its status alone (Trailers-Only). `further`: headers that explain the refusal. */
export function refuseCall(
	{ call, contentType }: Arrival,
	error: ConnectError,
	further: RawHeaders = [],
): void {
	const trailers = trailersOf(error, undefined, contentType, further);
	call.finish(trailers, undefined, false);
}

/** Answers a request that is not gRPC at all. */
export function refuseRequest(call: ServerCall, httpStatus: number): void {
	call.finish([":status", String(httpStatus)], undefined, false);
}
