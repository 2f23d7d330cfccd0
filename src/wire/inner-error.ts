import type { ConnectError } from "@connectrpc/connect";
import { codeName } from "../policy/code.ts";

/** A registered symbol, so that two copies of homing in one program recognize each other's errors. */
const inner: unique symbol = Symbol.for("homing.innerError");

interface Inner {
	/** What other services may be told about it. */
	readonly outward: string | undefined;
	/** It is a consequence of the end of the call that is being handled. */
	readonly follows: boolean;
}

interface Marked {
	readonly [inner]?: Inner;
}

/**
 * Marks an error as created by a homing client. Its text may contain addresses, so a server whose handler throws it does
 * not send that text.
 *
 * @param outward the text that may be sent instead; default: that a call to another service failed, and the code
 * @param follows whether the error is only a consequence of the end of the call that is being handled
 */
export function madeByClient(
	error: ConnectError,
	outward?: string,
	follows = false,
): ConnectError {
	const value: Inner = { outward, follows };
	return Object.defineProperty(error, inner, { value });
}

/** The text that a server may send for an error that a homing client created; undefined for all other errors. */
export function outwardText(error: ConnectError): string | undefined {
	const mark = (error as Marked)[inner];
	if (mark === undefined) return undefined;
	if (mark.follows && mark.outward !== undefined) return mark.outward;
	return `a call to another service failed: ${mark.outward ?? codeName(error.code)}`;
}

/** Whether a server has to report the error itself, because its text is not sent to the client. */
export function isNews(error: ConnectError): boolean {
	return (error as Marked)[inner]?.follows === false;
}
