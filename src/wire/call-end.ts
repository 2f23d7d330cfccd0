/** How the calls of a client end: what every engine makes of the end of a response. */

import { Code } from "@connectrpc/connect";
import type { CallEnd, RequestProgress } from "./connection.ts";
import { isGrpc } from "./content-type.ts";
import { headerOf, NO_HEADERS, type RawHeaders } from "./headers.ts";
import {
	codeOfHttpStatus,
	codeOfReset,
	nameOfReset,
	type Status,
	statusOf,
} from "./status.ts";

/** Whether these are the headers of a gRPC response; of any other, `statusOfForeign` makes a status. */
export function isGrpcResponse(headers: RawHeaders): boolean {
	return (
		headerOf(headers, ":status") === "200" &&
		isGrpc(headerOf(headers, "content-type"))
	);
}

/** The end of a call whose response the server has ended, with trailers or without. */
export function endOfResponse(
	headers: RawHeaders,
	trailers: RawHeaders,
): CallEnd {
	const status = statusOf(trailers);
	return status === undefined
		? localEnd(statusOfSilence(trailers), headers, trailers)
		: {
				code: status.code,
				message: status.message,
				headers,
				trailers,
				local: false,
				progress: "processed",
				cause: undefined,
			};
}

/** The end of a call whose stream the server reset with `code`. */
export function endOfReset(
	code: number,
	progress: RequestProgress,
	headers: RawHeaders,
): CallEnd {
	return {
		code: codeOfReset(code),
		message: `the server reset the stream (${nameOfReset(code)})`,
		headers,
		trailers: NO_HEADERS,
		local: true,
		progress,
		cause: undefined,
	};
}

/** The end of a call whose connection was lost. */
export function endOfLoss(
	cause: Error,
	progress: RequestProgress,
	headers: RawHeaders,
): CallEnd {
	return {
		code: Code.Unavailable,
		message: `connection lost: ${cause.message}`,
		headers,
		trailers: NO_HEADERS,
		local: true,
		progress,
		cause,
	};
}

/** The end of a call that this side gives up because of what the server sent. */
export function localEnd(
	status: Status,
	headers: RawHeaders,
	trailers: RawHeaders,
): CallEnd {
	return {
		code: status.code,
		message: status.message,
		headers,
		trailers,
		local: true,
		progress: "processed",
		cause: undefined,
	};
}

/** A response that is not gRPC's: a proxy's, or another server's. */
export function statusOfForeign(headers: RawHeaders): Status {
	const own = statusOf(headers);
	if (own !== undefined && own.code !== 0) return own;
	const httpStatus = headerOf(headers, ":status");
	const type = headerOf(headers, "content-type");
	return {
		code: codeOfHttpStatus(httpStatus),
		message: `not a gRPC response: HTTP status ${httpStatus}, content-type ${type === undefined ? "missing" : `"${type}"`}`,
	};
}

/** Messages of the response that cannot be read. */
export function statusOfMalformed(code: Code, message: string): Status {
	return {
		code,
		message:
			code === Code.ResourceExhausted
				? `${message} (maxResponseMessageBytes of this client)`
				: message,
	};
}

/** A response that ended without a grpc-status. */
function statusOfSilence(trailers: RawHeaders): Status {
	return trailers.length > 0
		? {
				code: Code.Unknown,
				message:
					"the server ended the call without a grpc-status: it, or a proxy before it, left that out of the trailers",
			}
		: {
				code: Code.Internal,
				message:
					"the server ended the call without trailers: it, or a proxy before it, cut the response short",
			};
}
