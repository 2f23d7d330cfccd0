import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { formatDuration } from "../../checks/duration.ts";
import type { StreamReset } from "../../wire/connection.ts";
import { Http2Code } from "../../wire/http2-code.ts";
import { isNews, outwardText } from "../../wire/inner-error.ts";
import { nameOfReset } from "../../wire/status.ts";

/**
 * Returns what the client hears of something that a handler threw. A ConnectError goes out as it is, but one that a homing
 * client made loses its text, which may name addresses. Of anything else the client hears only that the call has failed.
 */
export function errorToSend(thrown: unknown, method: DescMethod): ConnectError {
	if (thrown instanceof MalformedResponse) {
		return new ConnectError(noValidResponse(method), Code.Internal);
	}
	if (!(thrown instanceof ConnectError)) {
		return new ConnectError(`${pathOf(method)} failed`, Code.Unknown);
	}
	const outward = outwardText(thrown);
	if (outward !== undefined) return new ConnectError(outward, thrown.code);
	if (Code[thrown.code] === undefined) {
		return new ConnectError(thrown.rawMessage, Code.Unknown, thrown.metadata);
	}
	return thrown;
}

/** Whether something that a handler threw says more than the client hears. */
export function isMasked(thrown: unknown): boolean {
	return !(thrown instanceof ConnectError) || isNews(thrown);
}

/** Whether something that a handler threw only follows from the cancellation of its call. */
export function isConsequence(thrown: unknown): boolean {
	if (thrown instanceof ConnectError) {
		const { code } = thrown;
		return (
			!isNews(thrown) ||
			code === Code.Canceled ||
			code === Code.DeadlineExceeded
		);
	}
	const name = thrown instanceof Error ? thrown.name : undefined;
	return name === "AbortError" || name === "TimeoutError";
}

export function deadlinePassed(timeoutMs: number): ConnectError {
	return new ConnectError(
		`deadline of ${formatDuration(Math.ceil(timeoutMs))} passed`,
		Code.DeadlineExceeded,
	);
}

/** Why a call ends whose client has reset it, or whose connection was lost. */
export function clientLeft({ code, cause }: StreamReset): ConnectError {
	if (cause !== undefined) {
		return new ConnectError(
			`the client is gone: ${cause.message}`,
			Code.Canceled,
			undefined,
			undefined,
			cause,
		);
	}
	return new ConnectError(
		code === Http2Code.CANCEL || code === Http2Code.NO_ERROR
			? "the client cancelled the call"
			: `the client reset the call (${nameOfReset(code)})`,
		Code.Canceled,
	);
}

/** The client sent no request, or several, to a method that takes one. `found`: "no request", "more than one request". */
export function wrongNumber(found: string, method: DescMethod): ConnectError {
	return new ConnectError(
		`${found} for ${pathOf(method)}, which takes one`,
		Code.Unimplemented,
	);
}

/** The wire cannot read what the client sent. */
export function malformedMessage(code: Code, message: string): ConnectError {
	const whose =
		code === Code.ResourceExhausted ? " (readMaxBytes of this server)" : "";
	return new ConnectError(`${message}${whose}`, code);
}

/** The request cannot be decoded. */
export function malformedRequest(
	{ input }: DescMethod,
	cause: unknown,
): ConnectError {
	return new ConnectError(
		`the request is no valid ${input.typeName}: ${(cause as Error).message}`,
		Code.Internal,
	);
}

/** A handler returned what is no response of its method. The client hears only that; `onError` hears why. */
export class MalformedResponse extends TypeError {
	constructor(method: DescMethod, cause: unknown) {
		const why = cause instanceof Error ? cause.message : String(cause);
		super(`${noValidResponse(method)}: ${why}`, { cause });
	}
}

function noValidResponse({ output }: DescMethod): string {
	return `the response is no valid ${output.typeName}`;
}

/** The trailers, or the details of an error, cannot be sent. */
export function malformedStatus(method: DescMethod): ConnectError {
	return new ConnectError(
		`the metadata or the error details of ${pathOf(method)} cannot be sent`,
		Code.Internal,
	);
}

export function largeResponse(bytes: number, maxBytes: number): ConnectError {
	return new ConnectError(
		`the response message has ${bytes} bytes, more than the limit of ${maxBytes} (writeMaxBytes of this server)`,
		Code.ResourceExhausted,
	);
}

/** "package.Service/Method" */
function pathOf(method: DescMethod): string {
	return `${method.parent.typeName}/${method.name}`;
}

/** Replaces something thrown that itself throws when it is read, such as a revoked proxy. */
export function readableThrown(thrown: unknown): unknown {
	try {
		if (thrown instanceof ConnectError) return thrown;
		if (thrown instanceof Error) String(thrown.message + thrown.stack);
		return thrown;
	} catch (cause) {
		return new Error("what was thrown cannot be read", { cause });
	}
}
