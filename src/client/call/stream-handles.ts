import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions } from "../options/call-options.ts";

/**
 * A client-streaming method. Call it with an iterable of requests, or open a handle to send them one by one. It is
 * assignable to a method of a Connect client.
 */
export interface ClientStreaming<I extends DescMessage, O> {
	/** Sends all requests, and returns the one response. Cancels the call if the iterable throws. */
	(
		requests:
			| Iterable<MessageInitShape<I>>
			| AsyncIterable<MessageInitShape<I>>,
		options?: CallOptions,
	): Promise<O>;
	/** Starts a call whose requests are sent with the handle. */
	open(options?: CallOptions): ClientStream<MessageInitShape<I>, O>;
}

/**
 * A bidirectional method. Call it with an iterable of requests, or open a handle to send and receive messages one by one. It
 * is assignable to a method of a Connect client.
 */
export interface BidiStreaming<I extends DescMessage, O> {
	/** Sends all requests, and returns the stream of responses. Cancels the call if the iterable throws. */
	(
		requests:
			| Iterable<MessageInitShape<I>>
			| AsyncIterable<MessageInitShape<I>>,
		options?: CallOptions,
	): ServerStream<O>;
	/** Starts a call whose requests are sent with the handle. */
	open(options?: CallOptions): BidiStream<MessageInitShape<I>, O>;
}

/** A streaming call. It starts at once. Disposing it cancels the call, unless it has ended. */
export interface Stream extends AsyncDisposable {
	/**
	 * Resolves with the response headers. Rejects with the error of the call if it fails before they arrive; that
	 * rejection need not be handled.
	 */
	readonly header: Promise<Headers>;
	/**
	 * Resolves with the response trailers when the call has succeeded. Rejects with the error of the call if it fails;
	 * that rejection need not be handled.
	 */
	readonly trailer: Promise<Headers>;
	/** Ends the call with CANCELED and `reason` as the cause. Does nothing if the call has ended. */
	cancel(reason?: unknown): void;
}

/** A call that receives a stream of messages. Leaving a `for await` loop over it early cancels the call. */
export interface ServerStream<O> extends Stream, AsyncIterable<O> {
	/** Returns the next message, or undefined at the end. Rejects with the error of the call if it fails. */
	recv(): Promise<O | undefined>;
}

/** A call that sends a stream of messages and receives one. */
export interface ClientStream<I, O> extends Stream {
	/**
	 * Sends a message. Resolves when flow control has room for the next one. Rejects with the error of the call if it
	 * has ended.
	 */
	send(message: I): Promise<void>;
	/** Ends the stream of requests, and returns the response. Rejects with the error of the call if it fails. */
	closeAndRecv(): Promise<O>;
}

/** A call that sends and receives streams of messages, independently of each other. */
export interface BidiStream<I, O> extends ServerStream<O> {
	/**
	 * Sends a message. Resolves when flow control has room for the next one. Rejects with the error of the call if it
	 * has ended.
	 */
	send(message: I): Promise<void>;
	/** Ends the stream of requests (half-close). Responses can still be received. */
	closeSend(): Promise<void>;
}
