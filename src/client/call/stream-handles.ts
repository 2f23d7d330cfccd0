import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions } from "../options/call-options.ts";

/** A client-streaming method: call it with the messages, or open a handle. Assignable to Connect's. */
export interface ClientStreaming<I extends DescMessage, O> {
	(
		requests:
			| Iterable<MessageInitShape<I>>
			| AsyncIterable<MessageInitShape<I>>,
		options?: CallOptions,
	): Promise<O>;
	open(options?: CallOptions): ClientStream<MessageInitShape<I>, O>;
}

/** A bidirectional method: call it with the messages, or open a handle. Assignable to Connect's. */
export interface BidiStreaming<I extends DescMessage, O> {
	(
		requests:
			| Iterable<MessageInitShape<I>>
			| AsyncIterable<MessageInitShape<I>>,
		options?: CallOptions,
	): ServerStream<O>;
	open(options?: CallOptions): BidiStream<MessageInitShape<I>, O>;
}

/** The call starts at once. `header` and `trailer` are made when asked for, and never an unhandled rejection. */
export interface Stream extends AsyncDisposable {
	readonly header: Promise<Headers>;
	readonly trailer: Promise<Headers>;
	/** Ends the call with CANCELED; does nothing once it has ended. */
	cancel(reason?: unknown): void;
}

/** Leaving a `for await` early cancels the call. */
export interface ServerStream<O> extends Stream, AsyncIterable<O> {
	/** The next message; undefined at the end; rejects with the call's error. */
	recv(): Promise<O | undefined>;
}

export interface ClientStream<I, O> extends Stream {
	/** Resolves when flow control has room; rejects with the call's error once it has ended. */
	send(message: I): Promise<void>;
	/** Ends the request, and waits for the one response. */
	closeAndRecv(): Promise<O>;
}

export interface BidiStream<I, O> extends ServerStream<O> {
	/** Resolves when flow control has room; rejects with the call's error once it has ended. */
	send(message: I): Promise<void>;
	/** Ends the request; the responses go on. */
	closeSend(): Promise<void>;
}
