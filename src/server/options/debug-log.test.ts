import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { inLine } from "./debug-log.ts";

const here = (file: string): string =>
	JSON.stringify(new URL(file, import.meta.url).href);

/** What a program prints to stderr whose server is called three times: answers, fails, and does not know the method. */
async function printed(debug: string): Promise<string[]> {
	const program = `
		import { newClient } from ${here("../../client.ts")};
		import { Server } from ${here("../../server.ts")};
		import { EchoService } from ${here("../../../testdata/services/gen/echo/echo_pb.ts")};
		import { Payment } from ${here("../../../testdata/services/gen/microservice/v1/payment_pb.ts")};
		const server = new Server({ onError: () => {} });
		server.add(EchoService, {
			echo: ({ mes }) => {
				if (mes === "fail") throw new Error("no luck");
				return { resp: mes };
			},
		});
		const { address } = await server.listen("127.0.0.1:0");
		const echo = newClient(EchoService, address);
		await echo.echo({ mes: "well" });
		await echo.echo({ mes: "fail" }).catch(() => {});
		await echo[Symbol.asyncDispose]();
		const payment = newClient(Payment, address);
		await payment.create({}).catch(() => {});
		await payment[Symbol.asyncDispose]();
		await server.shutdown();
	`;
	const { stderr } = await promisify(execFile)(
		process.execPath,
		[
			"--experimental-strip-types",
			"--no-warnings",
			"--input-type=module",
			"--eval",
			program,
		],
		{ env: { ...process.env, NODE_DEBUG: debug }, timeout: 20_000 },
	);
	return stderr
		.split("\n")
		.map((line) => line.replace(/^HOMING \d+: /, ""))
		.filter((line) => debug === "" || line.startsWith("server: "))
		.map((line) => line.replaceAll(/127\.0\.0\.1:\d+/g, "ADDRESS"));
}

test("NODE_DEBUG=homing prints a line for each thing that a server does", async () => {
	const said = await printed("homing");
	expect(said.slice(0, 5)).toEqual([
		"server: listening at ADDRESS",
		"server: ADDRESS is connected",
		"server: /echo.EchoService/Echo of ADDRESS ended [ok]",
		"server: echo.EchoService/Echo failed: Error: no luck",
		"server: /echo.EchoService/Echo of ADDRESS ended [unknown]",
	]);
	const rest = said.slice(5).join("\n");
	expect(rest).toContain("server: ADDRESS is gone");
	expect(rest).toMatch(
		/server: \/microservice\.v1\.Payment\/Create of ADDRESS is refused: \[unimplemented\] ./,
	);
	expect(rest).toMatch(/server: shutting down\n(.*\n)*server: shut down$/);
});

test("without NODE_DEBUG nothing is printed", async () => {
	expect(await printed("")).toEqual([""]);
});

test("an error whose text cannot be read is still shown on one line", () => {
	const thrown = {
		toString() {
			throw new Error("trap");
		},
	};
	expect(inLine(thrown)).toBe("{ toString: [Function: toString] }");
	expect(inLine("text")).toBe("text");
});
