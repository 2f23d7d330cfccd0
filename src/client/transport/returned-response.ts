import type { UnaryResponse } from "@connectrpc/connect";
import { shown } from "../../checks/option-error.ts";

/**
 * Returns what an interceptor or a transport has returned. They are written by others, and perhaps without types.
 *
 * @throws TypeError if it is not a response
 */
export function responseOf<Response>(
	who: "an interceptor" | "the transport",
	returned: Response,
): Response {
	const response = returned as Partial<UnaryResponse> | null | undefined;
	if (
		typeof response?.header === "object" &&
		typeof response.message === "object"
	) {
		return returned;
	}
	throw new TypeError(
		`${who} has returned ${shown(returned)}${typeof returned === "object" && returned !== null ? " without header or message" : ""}, which is no response`,
	);
}
