import type { DescMessage, DescMethod, MessageShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { CallEnd } from "../wire/client-call.ts";
import type { RawHeaders } from "../wire/connection.ts";
import { Call } from "./call.ts";
import type { CallObserver, CallRequest } from "./call-request.ts";
import type { ChannelCore } from "./channel-core.ts";
import { decodeMessage } from "./message-codec.ts";
import { wrongNumber } from "./wrong-number.ts";

/** What a call with one response came to; headers and trailers as they came off the wire. */
export interface UnaryOutcome<O extends DescMessage> {
	readonly message: MessageShape<O>;
	readonly headers: RawHeaders;
	readonly trailers: RawHeaders;
}

/** Makes a unary call. The promise rejects with ConnectError, and with nothing else. */
export function callUnary<O extends DescMessage>(
	core: ChannelCore,
	request: CallRequest,
	encoded: Uint8Array,
): Promise<UnaryOutcome<O>> {
	return new Promise((resolve, reject) => {
		const observer = new OneResponse<O>(request.method, resolve, reject);
		const call = new Call(core, request, observer);
		call.start();
		try {
			call.closeSend(encoded);
		} catch (error) {
			reject(error);
		}
	});
}

/** Expects exactly one message and an OK status. */
class OneResponse<O extends DescMessage> implements CallObserver {
	readonly #method: DescMethod;
	readonly #resolve: (outcome: UnaryOutcome<O>) => void;
	readonly #reject: (error: ConnectError) => void;
	#message: Uint8Array | undefined;
	#count = 0;

	constructor(
		method: DescMethod,
		resolve: (outcome: UnaryOutcome<O>) => void,
		reject: (error: ConnectError) => void,
	) {
		this.#method = method;
		this.#resolve = resolve;
		this.#reject = reject;
	}

	headers(): void {}

	writable(): void {}

	message(message: Uint8Array): void {
		this.#count++;
		this.#message ??= message;
	}

	end(end: CallEnd, error: ConnectError | undefined): void {
		if (error !== undefined) {
			this.#reject(error);
			return;
		}
		try {
			this.#resolve({
				message: decodeMessage(
					this.#method.output,
					this.#only(),
				) as MessageShape<O>,
				headers: end.headers,
				trailers: end.trailers,
			});
		} catch (error) {
			this.#reject(error as ConnectError);
		}
	}

	/** gRPC's status codes: a wrong number of responses is UNIMPLEMENTED. */
	#only(): Uint8Array {
		if (this.#message === undefined || this.#count > 1) {
			throw wrongNumber(this.#method, this.#count);
		}
		return this.#message;
	}
}
