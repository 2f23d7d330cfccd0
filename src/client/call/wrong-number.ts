import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { madeByClient } from "../../wire/inner-error.ts";

/** The error of a method with one response that answered with none or several (grpc/statuscodes). */
export function wrongNumber(method: DescMethod, count: number): ConnectError {
	return madeByClient(
		new ConnectError(
			`${method.parent.typeName}/${method.name} answers with one message, but the server sent ${count === 0 ? "none" : "more"}`,
			Code.Unimplemented,
		),
	);
}
