import { type DebugLogger, debuglog, inspect } from "node:util";

/**
 * Prints a line of what a server does, where `NODE_DEBUG` names homing (nodejs.org/api/util.html#utildebuglogsection). On
 * the way of a call ask `enabled` first.
 */
export const debugLog: DebugLogger = debuglog("homing");

/** What went wrong, in a line. */
export function inLine(error: unknown): string {
	if (typeof error === "string") return error;
	return error instanceof Error
		? `${error.name}: ${error.message}`
		: inspect(error, { breakLength: Infinity });
}
