import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import * as browser from "./browser.ts";
import * as node from "./client.ts";

/** What a page has and a bare context lacks, or has of another realm. Nothing of it is Node's alone. */
const BROWSER_GLOBALS = {
	AbortController,
	AbortSignal,
	ArrayBuffer,
	DOMException,
	Headers,
	ReadableStream,
	TextDecoder,
	TextEncoder,
	TransformStream,
	URL,
	URLSearchParams,
	Uint8Array,
	clearTimeout,
	performance,
	queueMicrotask,
	setTimeout,
};

const page = (body: string): string => `
	import { createRouterTransport } from "@connectrpc/connect";
	import { Channel, poll } from "homing";
	import { Payment } from "./testdata/services/gen/microservice/v1/payment_pb.ts";
	import { NewPaymentClient } from "./testdata/services/gen/microservice/v1/payment_rpc.ts";

	const transport = createRouterTransport(({ service }) => {
		service(Payment, {
			create: ({ price }) => ({ billId: BigInt(price) }),
			async *createStream(requests) {
				for await (const { price } of requests) yield { billId: BigInt(price) };
			},
		});
	});
	globalThis.answer = (async () => { ${body} })();
`;

async function bundle(body: string): Promise<string> {
	const { outputFiles } = await build({
		stdin: { contents: page(body), resolveDir: process.cwd(), loader: "ts" },
		bundle: true,
		write: false,
		format: "iife",
		platform: "browser",
		logLevel: "silent",
		// Not its paths: as from outside, the package is what its exports say.
		tsconfigRaw: {},
	});
	return outputFiles[0]?.text ?? "";
}

async function run(body: string): Promise<unknown> {
	const context = createContext({ ...BROWSER_GLOBALS });
	runInContext(await bundle(body), context);
	return await context["answer"];
}

describe("a generated client in a browser", () => {
	let text: string;
	beforeAll(async () => {
		text = await bundle("return NewPaymentClient(transport);");
	});

	test("has no import of Node in its bundle", () => {
		expect(text).toContain("NewPaymentClient");
		expect(text).not.toMatch(/["']node:|require\(/);
	});

	test("calls over a Connect Transport", async () => {
		const answer = await run(`
			const payments = NewPaymentClient(transport);
			const bills = [(await payments.create({ price: 1 })).billId];
			for await (const { billId } of payments.createStream([{ price: 2 }, { price: 3 }])) {
				bills.push(billId);
			}
			return bills.join();
		`);
		expect(answer).toBe("1,2,3");
	});

	test.each([
		['NewPaymentClient("localhost:50051")', "a Connect Transport"],
		['NewPaymentClient(poll(async () => ["a:1"]))', "a Connect Transport"],
		['new Channel("localhost:50051")', "a Connect Transport"],
	])("the error of %s says what to pass instead", async (expression, cure) => {
		const answer = await run(
			`try { ${expression} } catch (error) { return error.message; }`,
		);
		expect(answer).toContain("needs Node.js");
		expect(answer).toContain(cure);
	});
});

test("homing exports the same names in a browser as in Node", () => {
	expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort());
});
