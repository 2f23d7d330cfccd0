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

/** Any iteration of request messages. */
export type Messages<I extends DescMessage> =
	| Iterable<MessageInitShape<I>>
	| AsyncIterable<MessageInitShape<I>>;

/** A streaming call under way, whatever carries it. */
export interface StreamHandle<I extends DescMessage, O extends DescMessage>
	extends BidiStream<MessageInitShape<I>, MessageShape<O>>,
		ClientStream<MessageInitShape<I>, MessageShape<O>> {
	/** Begins a server-streaming call with its only message. May throw ConnectError for what is no message: then it has not begun. */
	sendOnly(message: MessageInitShape<I> | undefined): void;
	/** Sends what the iteration yields, as fast as flow control lets it, then ends the request. */
	sendAll(messages: Messages<I>): void;
	/** The one response of a method that has one; rejects with ConnectError UNIMPLEMENTED if there are none or several. */
	recvOnly(): Promise<MessageShape<O>>;
}

/** What a client's methods stand on: a channel of homing's own, or any Connect Transport. */
export interface Caller {
	unary<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		request: MessageInitShape<I> | undefined,
		options: CallOptions | undefined,
	): Promise<MessageShape<O>>;
	/**
	 * Begins a streaming call, but one of a method with a single request: `sendOnly` does that. `site`: where the call is
	 * made, for the stack of its error.
	 */
	stream<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		options: CallOptions | undefined,
		site?: CallSite,
	): StreamHandle<I, O>;
}
