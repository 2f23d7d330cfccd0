import type {
	DescMessage,
	DescMethod,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import type { CallOptions } from "../options/call-options.ts";
import type { CallSite } from "./call-site.ts";
import type { BidiStream, ClientStream } from "./stream-handles.ts";

/** A method together with its message types. */
export type MethodOf<
	I extends DescMessage,
	O extends DescMessage,
> = DescMethod & { readonly input: I; readonly output: O };

/** The request messages of a stream. */
export type Messages<I extends DescMessage> =
	| Iterable<MessageInitShape<I>>
	| AsyncIterable<MessageInitShape<I>>;

/** The handle of a streaming call of any kind, as the functions of a client object use it. */
export interface StreamHandle<I extends DescMessage, O extends DescMessage>
	extends BidiStream<MessageInitShape<I>, MessageShape<O>>,
		ClientStream<MessageInitShape<I>, MessageShape<O>> {
	/**
	 * Starts a server-streaming call with its only request.
	 *
	 * @throws ConnectError if the request is no message; the call has not started then
	 */
	sendOnly(message: MessageInitShape<I> | undefined): void;
	/** Sends all messages as fast as flow control allows, and then ends the request. Cancels the call if one cannot be sent. */
	sendAll(messages: Messages<I>): void;
	/** Receives the only response of the method. Rejects with ConnectError UNIMPLEMENTED if there is none, or more than one. */
	recvOnly(): Promise<MessageShape<O>>;
}

/**
 * Makes the calls of a generated client: straight over a channel (`DirectCaller`), or over a Connect Transport, if there
 * are interceptors or if the Transport is not homing's (`ConnectCaller`).
 */
export interface Caller {
	unary<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		request: MessageInitShape<I> | undefined,
		options: CallOptions | undefined,
	): Promise<MessageShape<O>>;
	/**
	 * Makes a streaming call. It starts at once, but a server-streaming call starts with `sendOnly`.
	 *
	 * @param site where the call is made, for the stack of its error
	 */
	stream<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		options: CallOptions | undefined,
		site?: CallSite,
	): StreamHandle<I, O>;
}
