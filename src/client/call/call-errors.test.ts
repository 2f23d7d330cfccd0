import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import { wrongNumber } from "./call-errors.ts";

test.each([
	[0, "none"],
	[2, "more"],
])("%d responses where one is due are UNIMPLEMENTED", (count, said) => {
	const error = wrongNumber(EchoService.method.echo, count);
	expect(error.code).toBe(Code.Unimplemented);
	expect(error.rawMessage).toBe(
		`echo.EchoService/Echo answers with one message, but the server sent ${said}`,
	);
});
