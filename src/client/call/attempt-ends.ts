/** How attempts end that this side ends. */

import { Code, ConnectError } from "@connectrpc/connect";
import { showable } from "../../policy/showable.ts";
import type { CallEnd } from "../../wire/connection.ts";
import { NO_HEADERS } from "../../wire/headers.ts";
import { MAX_HEADER_BYTES } from "../../wire/metadata.ts";

/** The end of an attempt that was not sent. */
export function endOfUnsent(code: Code, what: string, cause: unknown): CallEnd {
	const error = ConnectError.from(showable(cause), code);
	return {
		code: error.code,
		message: what === "" ? error.rawMessage : `${what}: ${error.rawMessage}`,
		headers: NO_HEADERS,
		trailers: NO_HEADERS,
		local: true,
		progress: "miscarried",
		cause: error.cause instanceof Error ? error.cause : error,
	};
}

/** The end of an attempt that is given up because its server does not answer. */
export function endOfUnanswered(address: string): CallEnd {
	const error = new Error("it does not answer: it is stopped, or cut off");
	return {
		...endOfUnsent(Code.Unavailable, address, error),
		progress: "processed",
	};
}

/** The error for headers that the server does not take. (Node would reset the stream, or close the connection.) */
export function headersTooLarge(
	bytes: number,
	serverTakes: number,
	server: string,
): ConnectError {
	const limit =
		bytes > MAX_HEADER_BYTES
			? `the limit is ${MAX_HEADER_BYTES}`
			: `${server} takes ${serverTakes}`;
	return new ConnectError(
		`its headers take ${bytes} bytes, and ${limit}: send less metadata`,
		Code.ResourceExhausted,
	);
}
