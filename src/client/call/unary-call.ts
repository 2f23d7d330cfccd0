import type { DescMessage, DescMethod, MessageShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { CallEnd } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { Call } from "./call.ts";
import { wrongNumber } from "./call-errors.ts";
import type { CallObserver, CallTerms } from "./call-request.ts";
import { decodeMessage } from "./message-codec.ts";
import type { PreparedMethod } from "./prepared-method.ts";
import { noteReceived } from "./response-metadata.ts";

/** Hears the one response of a call, with headers and trailers as they came off the wire. What it throws fails the call. */
type Answered<O extends DescMessage> = (
	message: MessageShape<O>,
	end: CallEnd,
) => void;

/** Makes a unary call, which ends in one of the two: a response, or, if nothing else fails, a ConnectError. */
export function callUnary<O extends DescMessage>(
	prepared: PreparedMethod,
	terms: CallTerms | undefined,
	encoded: Uint8Array,
	answered: Answered<O>,
	failed: (error: unknown) => void,
): void {
	const observer = new OneResponse<O>(prepared.method, answered, failed);
	new Call(prepared, terms, observer).start(encoded);
}

/** Expects exactly one message and an OK status. */
class OneResponse<O extends DescMessage> implements CallObserver {
	readonly #method: DescMethod;
	readonly #answered: Answered<O>;
	readonly #failed: (error: unknown) => void;
	#headers: RawHeaders | undefined;
	#message: Uint8Array | undefined;
	#count = 0;

	constructor(
		method: DescMethod,
		answered: Answered<O>,
		failed: (error: unknown) => void,
	) {
		this.#method = method;
		this.#answered = answered;
		this.#failed = failed;
	}

	headers(headers: RawHeaders): void {
		this.#headers = headers;
	}

	writable(): void {}

	message(message: Uint8Array): void {
		this.#count++;
		this.#message ??= message;
	}

	end(end: CallEnd, error: ConnectError | undefined): void {
		if (error !== undefined) {
			this.#fail(error, end);
			return;
		}
		try {
			const message = decodeMessage(this.#method.output, this.#only());
			this.#answered(message as MessageShape<O>, end);
		} catch (error) {
			this.#fail(error, end);
		}
	}

	#fail(error: unknown, end: CallEnd): void {
		noteReceived(error, end, this.#headers);
		this.#failed(error);
	}

	/** gRPC's status codes: a wrong number of responses is UNIMPLEMENTED. */
	#only(): Uint8Array {
		if (this.#message === undefined || this.#count > 1) {
			throw wrongNumber(this.#method, this.#count);
		}
		return this.#message;
	}
}
