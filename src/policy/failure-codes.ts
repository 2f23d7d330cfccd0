import { Code } from "@connectrpc/connect";
import { OptionError } from "../checks/option-error.ts";
import { parseCodes } from "./code.ts";

/**
 * Reads the list of status codes that an option counts as failures of the server.
 *
 * @throws OptionError for an empty list, for what is not a status code, and for CANCELLED, which says only that the caller
 * gave up
 */
export function parseFailureCodes(
	value: unknown,
	where: string,
): ReadonlySet<Code> {
	const codes = parseCodes(value, where);
	if (codes.has(Code.Canceled)) {
		throw new OptionError(
			where,
			"CANCELLED is never a failure of the server: the caller cancelled the call; remove it from the list",
		);
	}
	return codes;
}
