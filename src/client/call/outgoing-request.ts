import type { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import type { CompiledMethodPolicy } from "../../policy/method-policy.ts";
import { DeflationQueue } from "../../wire/gzip/deflation-queue.ts";
import { compress } from "../../wire/gzip/gzip.ts";
import {
	deflatesLater,
	isCompressed,
} from "../../wire/gzip/message-compression.ts";
import type { ChannelCore } from "../channel/channel-core.ts";
import type { RequestBuffer } from "../channel/request-buffer.ts";
import { localError, requestTooLarge } from "./call-errors.ts";

/** Where the messages of a request go: one attempt, or all that are under way. */
export interface MessageSink {
	/** Returns false when there is no room for another message. */
	send(message: Uint8Array, compressed: boolean): boolean;
	closeSend(): void;
}

/** What a request needs of its call. */
export interface RequestOwner {
	readonly core: ChannelCore;
	readonly policy: CompiledMethodPolicy;
	/** Undefined before the first attempt, and after the last. */
	readonly sink: MessageSink | undefined;
	/** No further attempt is made: what is sent need not be kept. */
	readonly isSettled: boolean;
	/** The request has become too large to be kept: commits the call to an attempt that is sent, if there is one. */
	outgrown(): void;
	/** There is room to send again, after a `send` that returned false. */
	writable(): void;
	fail(error: ConnectError): void;
}

/**
 * The request of a call. Its messages are checked for their size, compressed if the channel says so, and kept until the
 * call is committed to an attempt.
 */
export class OutgoingRequest {
	/** What an attempt starts with. */
	readonly buffer: RequestBuffer;
	readonly #call: RequestOwner;
	/** Large messages while they are compressed on another thread, and those behind them. */
	#queue: DeflationQueue | undefined;
	/** Of the largest message so far. */
	#largestBytes = 0;
	#isOutgrown = false;

	constructor(call: RequestOwner) {
		this.#call = call;
		this.buffer = call.core.newRequestBuffer();
	}

	/** More was sent than is kept: the call is committed to the attempt that is sent next, if it is not already. */
	get isOutgrown(): boolean {
		return this.#isOutgrown;
	}

	/** Messages wait for one that is being compressed. */
	get isCompressing(): boolean {
		return this.#queue !== undefined;
	}

	/** Takes the only message of a request, and calls `ready` once it can be sent. Ends the call if it is too large. */
	takeOnly(message: Uint8Array, ready: () => void): void {
		this.#largestBytes = message.length;
		if (this.refuseLarge() !== undefined) return;
		this.#compressAndSend(message);
		this.#whenCompressed(() => {
			this.buffer.close();
			ready();
		});
	}

	/**
	 * Sends a message. Returns false when the caller should wait for `writable`.
	 *
	 * @throws ConnectError RESOURCE_EXHAUSTED for a message above the limit
	 */
	send(message: Uint8Array): boolean {
		this.#largestBytes = Math.max(this.#largestBytes, message.length);
		const error = this.refuseLarge();
		if (error !== undefined) throw error;
		return this.#compressAndSend(message);
	}

	/** Ends the request, behind its last message. */
	close(): void {
		this.#whenCompressed(() => {
			if (!this.#call.isSettled) this.buffer.close();
			this.#call.sink?.closeSend();
		});
	}

	/** Ends the call if a message is larger than its policy allows, and returns the error. */
	refuseLarge(): ConnectError | undefined {
		const limit = this.#call.policy.maxRequestMessageBytes;
		if (limit === undefined || this.#largestBytes <= limit) return undefined;
		const error = requestTooLarge(this.#largestBytes, limit);
		this.#call.fail(error);
		return error;
	}

	/** Drops what is still to be compressed. */
	stop(): void {
		this.#queue?.stop();
	}

	#compressAndSend(message: Uint8Array): boolean {
		const { compression } = this.#call.core.setting;
		if (compression === undefined) return this.#pass(message, false);
		if (this.#queue !== undefined || deflatesLater(message, compression)) {
			this.#queue ??= this.#newQueue();
			this.#queue.push(message);
			return false;
		}
		const compressed = isCompressed(message, compression);
		return this.#pass(compressed ? compress(message) : message, compressed);
	}

	#pass(message: Uint8Array, compressed: boolean): boolean {
		const kept = this.#call.isSettled || this.buffer.add(message, compressed);
		const hasRoom = this.#call.sink?.send(message, compressed) ?? false;
		if (!kept) {
			this.#isOutgrown = true;
			this.#call.outgrown();
		}
		return hasRoom;
	}

	#whenCompressed(step: () => void): void {
		if (this.#queue === undefined) step();
		else this.#queue.whenSent(step);
	}

	#newQueue(): DeflationQueue {
		const call = this.#call;
		let hasRoom = false;
		return new DeflationQueue(call.core.gzip.deflations, {
			send: (message, compressed) => {
				hasRoom = this.#pass(message, compressed);
			},
			emptied: () => {
				this.#queue = undefined;
				if (hasRoom) call.writable();
			},
			failed: (error) =>
				call.fail(localError(Code.Internal, error.message, error)),
		});
	}
}
