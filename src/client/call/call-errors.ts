/** How calls end that this side ends. */

import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { formatDuration } from "../../checks/duration.ts";
import type { CallEnd } from "../../wire/connection.ts";
import { NO_HEADERS } from "../../wire/headers.ts";
import { madeByClient } from "../../wire/inner-error.ts";

/** An error of this side, not of the server. */
export function localError(
	code: Code,
	message: string,
	cause?: unknown,
): ConnectError {
	return madeByClient(
		new ConnectError(message, code, undefined, undefined, cause),
	);
}

/** The end of a call that this side has given up. */
export function endOfError({ code, rawMessage }: ConnectError): CallEnd {
	return {
		code,
		message: rawMessage,
		headers: NO_HEADERS,
		trailers: NO_HEADERS,
		local: true,
		progress: "processed",
		isGivenUp: true,
	};
}

/**
 * The error of a call whose deadline has passed.
 *
 * @param whereabouts describes how far the call has got
 * @param inherited whether it is the deadline of the call that this one was made for
 */
export function deadlinePassed(
	startedAt: number,
	dueAt: number,
	inherited: boolean,
	whereabouts: string,
): ConnectError {
	const whose = inherited ? "the inherited deadline" : "the deadline";
	const length =
		dueAt > startedAt
			? ` of ${formatDuration(Math.round(dueAt - startedAt))}`
			: "";
	const passed = `${whose}${length} passed`;
	return madeByClient(
		new ConnectError(`${passed} ${whereabouts}`, Code.DeadlineExceeded),
		passed,
		inherited,
	);
}

/**
 * The error of a call that was cancelled.
 *
 * @param what says what happened
 * @param follows whether it follows from the end of the call that this one was made for
 */
export function cancelled(
	reason: unknown,
	what: string,
	follows: boolean,
): ConnectError {
	const text = textOfCancel(what, reason);
	return madeByClient(
		new ConnectError(text, codeOfCancel(reason), undefined, undefined, reason),
		text,
		follows,
	);
}

/** The code of a call that was cancelled: DEADLINE_EXCEEDED for the reason of a deadline or of an AbortSignal.timeout, else CANCELED. */
export function codeOfCancel(reason: unknown): Code {
	const isTimeout =
		reason instanceof ConnectError
			? reason.code === Code.DeadlineExceeded
			: reason instanceof Error && reason.name === "TimeoutError";
	return isTimeout ? Code.DeadlineExceeded : Code.Canceled;
}

/** `what`, and behind it the message of the reason, if it is an error. */
export function textOfCancel(what: string, reason: unknown): string {
	return reason instanceof Error ? `${what}: ${reason.message}` : what;
}

/** The error of a call with a request message above `maxRequestMessageBytes`. */
export function requestTooLarge(bytes: number, limit: number): ConnectError {
	return localError(
		Code.ResourceExhausted,
		`the request message has ${bytes} bytes, more than the ${limit} that this client sends (maxRequestMessageBytes of its options or of the service config)`,
	);
}

/** The error of a method with one response that answered with none or several (grpc/statuscodes). */
export function wrongNumber(method: DescMethod, count: number): ConnectError {
	return localError(
		Code.Unimplemented,
		`${method.parent.typeName}/${method.name} answers with one message, but the server sent ${count === 0 ? "none" : "more"}`,
	);
}

/** The error of a `send` after the server has ended the call with status OK. */
export function nobodyReads(): ConnectError {
	return new ConnectError(
		"the server has ended the call with status OK: nobody reads what is sent now",
		Code.FailedPrecondition,
	);
}

/** The error of a `send` after `closeSend` or `closeAndRecv`. */
export function sendIsClosed(): ConnectError {
	return new ConnectError(
		"the request has been closed: send before closeSend or closeAndRecv",
		Code.FailedPrecondition,
	);
}
