import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";

describe("npm run demo", () => {
	let output: string;
	beforeAll(() => {
		output = execFileSync(
			process.execPath,
			[fileURLToPath(new URL("main.ts", import.meta.url))],
			{ encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
		);
	});

	test.each([
		["generates", /buf generate\s+echo\/echo_rpc\.ts/],
		["calls unary", /getOrder\("101"\)\s+lamp to X/],
		["streams from the server", /searchOrders\("lamp"\)\s+101, 103/],
		["streams from the client", /updateOrders.*updated 102, 104/],
		["streams both ways", /processOrders.*\s\[X, X\] \[Y\] \[Y\]\n/],
		["shows an error", /getOrder\("999"\)\s+\[not_found\] there is no order/],
		["charges", /Payment\.create\(.*bill 1\n/],
		["greets", /HelloServer\.sayHello\("Ada"\)\s+Hello, Ada!/],
		["echoes", /EchoService\.echo/],
		[
			"says where a deadline passed",
			/deadline of 200 ms passed while waiting for an answer from 127\.0\.0\.1:\d+/,
		],
		[
			"stops the server behind the gateway too",
			/it was told 1\d\d ms, and has stopped/,
		],
		["moves a client by a resolver", /by blue, then by green\s+5\d\d, 5\d\d\n/],
		["fails no call meanwhile", /calls that failed\s+0\n/],
	])("%s", (_what, line) => {
		expect(output).toMatch(line);
	});
});
