import { showable } from "../policy/showable.ts";

/** Makes an error that says what failed and why, and has `cause` as its cause. */
export function failure(what: string, cause: unknown): Error {
	const thrown = showable(cause);
	const why = thrown instanceof Error ? thrown.message : String(thrown);
	return new Error(`${what}: ${why}`, { cause });
}
