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
		[
			"fails no call meanwhile",
			/by blue, then by green.*\n\s+calls that failed\s+0\n/,
		],
		[
			"tries again, and succeeds the third time",
			/busy twice\s+1: unavailable, 2: unavailable, 3: ok\n/,
		],
		["hedges past a slow server", /one server of two takes 1 s\s+\d{2,3} ms/],
		["has three servers answer under load", /answered them\s+\d{3,}, 3\n/],
		[
			"kills one, which loses attempts and fails no call",
			/lost with the server\s+[1-9]\d*\n\s+calls that failed\s+0\n/,
		],
	])("%s", (_what, line) => {
		expect(output).toMatch(line);
	});
});
