import { type DebugLogger, debuglog, inspect } from "node:util";

/**
 * Prints a line about what a server does, if `NODE_DEBUG` names homing (nodejs.org/api/util.html#utildebuglogsection). Code
 * that runs for every call asks `enabled` first.
 */
export const debugLog: DebugLogger = debuglog("homing");

/** Says on one line what went wrong. */
export function inLine(error: unknown): string {
	if (typeof error === "string") return error;
	return error instanceof Error
		? `${error.name}: ${error.message}`
		: inspect(error, { breakLength: Infinity });
}
