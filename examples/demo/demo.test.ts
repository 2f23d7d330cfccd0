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
		["generates code", /buf generate\s+echo\/echo_rpc\.ts/],
		["makes a unary call", /getOrder\("101"\)\s+lamp to X/],
		["streams from the server", /searchOrders\("lamp"\)\s+101, 103/],
		["streams from the client", /updateOrders.*updated 102, 104/],
		["streams both ways", /processOrders.*\s\[X, X\] \[Y\] \[Y\]\n/],
		[
			"shows the error of a call",
			/getOrder\("999"\)\s+\[not_found\] there is no order/,
		],
		["calls a payment service", /Payment\.create\(.*bill 1\n/],
		[
			"calls a greeter on the same channel",
			/HelloServer\.sayHello\("Ada"\)\s+Hello, Ada!/,
		],
		["calls an echo service on the same channel", /EchoService\.echo/],
		[
			"says how far a call got before its deadline",
			/deadline of 200 ms passed while waiting for an answer from 127\.0\.0\.1:\d+/,
		],
		[
			"cancels the handler behind the gateway at the deadline",
			/it was told 1\d\d ms, and has stopped/,
		],
		[
			"moves a client to another server with a resolver",
			/by blue, then by green\s+5\d\d, 5\d\d\n/,
		],
		[
			"fails no call while the client moves",
			/by blue, then by green.*\n\s+calls that failed\s+0\n/,
		],
		[
			"retries a call, which succeeds at the third attempt",
			/busy twice\s+1: unavailable, 2: unavailable, 3: ok\n/,
		],
		[
			"gets past a slow server by hedging",
			/one server of two takes 1 s\s+\d{2,3} ms/,
		],
		["calls three servers under load", /answered them\s+\d{3,}, 3\n/],
		[
			"kills a server under load, and fails no call",
			/lost with the server\s+[1-9]\d*\n\s+calls that failed\s+0\n/,
		],
	])("%s", (_what, line) => {
		expect(output).toMatch(line);
	});
});
