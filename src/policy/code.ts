import { Code } from "@connectrpc/connect";
import { OptionError, shown } from "../checks/option-error.ts";
import { listOf } from "../checks/option-table.ts";

/** The name of a status code as gRPC spells it ("UNAVAILABLE", "CANCELLED" or "CANCELED") or as Connect does ("Unavailable"). */
export type CodeName = keyof typeof Code | Uppercase<string>;

/** Codes by name, in lower case and without underscores, so that DEADLINE_EXCEEDED and DeadlineExceeded are the same. */
const byName: ReadonlyMap<string, Code> = new Map([
	...Object.values(Code)
		.filter((value) => typeof value === "number")
		.map((code): [string, Code] => [Code[code].toLowerCase(), code]),
	["cancelled", Code.Canceled],
]);

/**
 * Reads a status code from a policy: a number from 1 to 16, or a name in any
 * case, spelled as in gRPC or as in Connect (gRFC A6).
 *
 * Refuses OK (0), as grpc-java does, because a policy lists failures.
 *
 * @param where the path of the option, for the error message
 * @throws OptionError for any other value
 */
export function parseCode(value: unknown, where: string): Code {
	if (typeof value === "number" && Code[value] !== undefined) {
		return value;
	}
	const folded =
		typeof value === "string" ? value.toLowerCase().replaceAll("_", "") : "";
	const code = byName.get(folded);
	if (code !== undefined) {
		return code;
	}
	throw new OptionError(
		where,
		value === 0 || folded === "ok"
			? "OK is not a failure; remove it from the list"
			: `${shown(value)} is not a status code; write a gRPC code's name ("UNAVAILABLE") or its number (1 to 16)`,
	);
}

/**
 * Reads a list of status codes that names at least one.
 *
 * @throws OptionError for an empty list, and for an item that `parseCode` refuses
 */
export function parseCodes(value: unknown, where: string): ReadonlySet<Code> {
	const codes = new Set(listOf(parseCode)(value, where));
	if (codes.size > 0) return codes;
	throw new OptionError(
		where,
		'is empty; name at least one code, as in ["UNAVAILABLE"]',
	);
}

/** The name of a code as Connect prints it in messages: "deadline_exceeded". */
export function codeName(code: Code): string {
	const name = Code[code] ?? String(code);
	return name.replace(
		/[A-Z]/g,
		(capital, at) => (at > 0 ? "_" : "") + capital.toLowerCase(),
	);
}
