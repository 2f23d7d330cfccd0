import type { ConnectError } from "@connectrpc/connect";
import { codeName } from "../policy/code.ts";

/** Two copies of homing in one program know each other's errors. */
const inner: unique symbol = Symbol.for("homing.innerError");

interface Inner {
	/** What may be said of it outside. */
	readonly outward: string | undefined;
	/** It follows from the end of the call that is being handled. */
	readonly follows: boolean;
}

interface Marked {
	readonly [inner]?: Inner;
}

/**
 * Marks an error as made by a client of homing's, with a text that may name addresses: a server whose handler throws it
 * keeps that to itself.
 *
 * @param outward what may be said of it to others; default: that a call to another service failed, and the code
 * @param follows whether it only follows from the end of the call that is being handled
 */
export function madeByClient(
	error: ConnectError,
	outward?: string,
	follows = false,
): ConnectError {
	const value: Inner = { outward, follows };
	return Object.defineProperty(error, inner, { value });
}

/** The text of an error made by a client of homing's as a server may pass it on; undefined for all other errors. */
export function outwardText(error: ConnectError): string | undefined {
	const mark = (error as Marked)[inner];
	if (mark === undefined) return undefined;
	if (mark.follows && mark.outward !== undefined) return mark.outward;
	return `a call to another service failed: ${mark.outward ?? codeName(error.code)}`;
}

/** Whether a server has to tell somebody of it, as its text goes no further. */
export function isNews(error: ConnectError): boolean {
	return (error as Marked)[inner]?.follows === false;
}
