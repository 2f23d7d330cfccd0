import { Code, ConnectError } from "@connectrpc/connect";

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
