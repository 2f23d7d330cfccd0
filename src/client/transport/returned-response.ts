import type { UnaryResponse } from "@connectrpc/connect";
import { shown } from "../../checks/option-error.ts";

/** What `who` has returned. Throws TypeError if that is no response: of their types only the compiler knows. */
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
