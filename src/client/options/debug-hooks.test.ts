import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import {
	answer,
	refuse,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";

const here = (file: string): string =>
	JSON.stringify(new URL(file, import.meta.url).href);

/** Runs a program that makes one call, with retries, to an address. Returns what it prints to stderr under NODE_DEBUG. */
async function printed(address: string, debug: string): Promise<string> {
	const program = `
		import { newClient } from ${here("../../client.ts")};
		import { EchoService } from ${here("../../../testdata/services/gen/echo/echo_pb.ts")};
		const retryPolicy = { maxAttempts: 2, initialBackoff: 1, maxBackoff: 1, backoffMultiplier: 1, retryableStatusCodes: ["UNAVAILABLE"] };
		const echo = newClient(EchoService, "${address}", { retryPolicy });
		await echo.echo({}, { headers: { te: "x" } }).catch(() => {});
		await echo[Symbol.asyncDispose]();
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
	return stderr;
}

test("NODE_DEBUG=homing prints a line for each event of a channel", async () => {
	await using server = await serveStreams((stream) => answer(stream));
	const { address } = server;
	const lines = (await printed(address, "homing")).trim().split("\n");
	const said = lines.map((line) =>
		line
			.replace(/^HOMING \d+: /, "")
			.replaceAll(/\d+\.\d ms/g, "… ms")
			.replaceAll(address, "ADDRESS"),
	);
	expect(said).toEqual([
		"ADDRESS: resolved to 1 endpoint: ADDRESS",
		"ADDRESS: ADDRESS is connecting",
		"ADDRESS: ADDRESS is ready",
		'ADDRESS: echo.EchoService/Echo goes without the metadata "te": the name belongs to HTTP/2 or gRPC',
		"ADDRESS: echo.EchoService/Echo attempt 1 goes to ADDRESS",
		"ADDRESS: echo.EchoService/Echo attempt 1 at ADDRESS ended [ok] after … ms",
		"ADDRESS: echo.EchoService/Echo ended [ok], after … ms and 1 attempt",
		"ADDRESS: ADDRESS is shut down",
	]);
});

test("failures and retries are printed with their reasons", async () => {
	await using server = await serveStreams((stream) =>
		refuse(stream, 14, "full"),
	);
	const all = await printed(server.address, "homing");
	expect(all).toContain("attempt 1 at");
	expect(all).toMatch(/Echo is retried in [\d.]+ ms: /);
	expect(all).toMatch(/Echo attempt 2 at \S+ ended \[unavailable\] after/);
	expect(all).toMatch(
		/Echo ended \[unavailable\] full, after [\d.]+ ms and 2 attempts/,
	);
});

test("nothing is printed without NODE_DEBUG", async () => {
	await using server = await serveStreams((stream) => answer(stream));
	expect(await printed(server.address, "other")).toBe("");
});
