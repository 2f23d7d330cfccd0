import { Code } from "@connectrpc/connect";
import { OptionError } from "../checks/option-error.ts";
import { listOf } from "../checks/option-table.ts";
import { parseCode } from "./code.ts";

/**
 * The codes that an option lists as speaking against a server, and not only of one call.
 *
 * @throws OptionError for an empty list, for CANCELED (the caller has let go), and as `parseCode`
 */
export function parseFailureCodes(
	value: unknown,
	where: string,
): ReadonlySet<Code> {
	const codes = new Set(listOf(parseCode)(value, where));
	if (codes.size === 0) {
		throw new OptionError(
			where,
			'is empty; name at least one code, as in ["UNAVAILABLE"]',
		);
	}
	if (codes.has(Code.Canceled)) {
		throw new OptionError(
			where,
			"CANCELLED is never a failure of the server: the caller has let go; remove it from the list",
		);
	}
	return codes;
}
