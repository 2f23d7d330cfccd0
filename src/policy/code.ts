import { Code } from "@connectrpc/connect";
import { OptionError, shown } from "../checks/option-error.ts";

/** "UNAVAILABLE", "CANCELLED" and "CANCELED" in any case, or Connect's spelling. */
export type CodeName = keyof typeof Code | Uppercase<string>;

/** By name without case and underscores, so that DEADLINE_EXCEEDED and DeadlineExceeded are one. */
const byName: ReadonlyMap<string, Code> = new Map([
	...Object.values(Code)
		.filter((value) => typeof value === "number")
		.map((code): [string, Code] => [Code[code].toLowerCase(), code]),
	["cancelled", Code.Canceled],
]);

/**
 * The status code that a policy names: a number from 1 to 16, or a name in any
 * case, spelled as gRPC does or as Connect does (gRFC A6).
 *
 * OK (0) is refused, as grpc-java does: a policy lists failures.
 *
 * @param where the path that the error names
 * @throws OptionError for anything else
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

/** A code as Connect prints it in messages: "deadline_exceeded". */
export function codeName(code: Code): string {
	const name = Code[code] ?? String(code);
	return name.replace(
		/[A-Z]/g,
		(capital, at) => (at > 0 ? "_" : "") + capital.toLowerCase(),
	);
}
