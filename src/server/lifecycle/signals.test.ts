import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { RawClient } from "../../../testdata/harness/raw-client.ts";
import { getOrder, text } from "../../../testdata/harness/serving.ts";

const file = (path: string): string =>
	JSON.stringify(new URL(path, import.meta.url).href);

/** A program with a server that has `handleSignals`, and a call that takes 300 ms unless its request is "wait". */
async function program(
	handleSignals: string,
	more = "",
): Promise<{ child: ChildProcess; address: string; output: () => string }> {
	const source = `
		import { Server } from ${file("../server.ts")};
		import { OrderManagement } from ${file("../../../testdata/services/gen/ecommerce/order_management_pb.ts")};
		const server = new Server({ handleSignals: ${handleSignals} });
		server.add(OrderManagement, {
			getOrder: async ({ value }) => {
				console.log("called");
				await new Promise((resolve) => value === "wait" || setTimeout(resolve, 300));
				return {};
			},
		});
		${more}
		const { address } = await server.listen("127.0.0.1:0");
		console.log(address);
	`;
	const child = spawn(
		process.execPath,
		[
			"--experimental-strip-types",
			"--no-warnings",
			"--input-type=module",
			"--eval",
			source,
		],
		{ stdio: ["ignore", "pipe", "inherit"], timeout: 20_000 },
	);
	let output = "";
	child.stdout?.on("data", (chunk) => {
		output += chunk;
	});
	while (!output.includes("\n")) await once(child.stdout as never, "data");
	return { child, address: output.trim(), output: () => output };
}

async function begun(output: () => string, child: ChildProcess): Promise<void> {
	while (!output().includes("called")) {
		await once(child.stdout as never, "data");
	}
}

describe("handleSignals", () => {
	test.each(["SIGTERM", "SIGINT"] as const)(
		"%s: calls in flight finish, then the signal ends the process",
		async (signal) => {
			const { child, address, output } = await program("true");
			const exit = once(child, "exit");
			await using client = new RawClient(address);
			// No timer of the deadline may keep the process alive.
			const call = client.open(getOrder, { "grpc-timeout": "1H" });
			call.send(text("a")).end();
			await begun(output, child);
			child.kill(signal);
			expect((await call.outcome).status).toBe(0);
			expect(await exit).toEqual([null, signal]);
		},
	);

	test("graceMs bounds how long calls may take", async () => {
		const { child, address, output } = await program("{ graceMs: 100 }");
		const exit = once(child, "exit");
		await using client = new RawClient(address);
		const call = client.open(getOrder).send(text("wait")).end();
		await begun(output, child);
		child.kill("SIGTERM");
		expect((await call.outcome).status).toBe(14);
		expect(await exit).toEqual([null, "SIGTERM"]);
	});

	test("propagationMs lets clients hear of it before connections are refused", async () => {
		const { child, address } = await program("{ propagationMs: 400 }");
		const exit = once(child, "exit");
		await using client = new RawClient(address);
		const started = performance.now();
		const goaway = once(client.session, "goaway");
		child.kill("SIGTERM");
		await goaway;
		expect(performance.now() - started).toBeGreaterThan(390);
		expect(await exit).toEqual([null, "SIGTERM"]);
	});

	test("a second signal ends the process at once", async () => {
		const { child, address, output } = await program("true");
		const exit = once(child, "exit");
		await using client = new RawClient(address);
		client.open(getOrder).send(text("wait")).end();
		await begun(output, child);
		const goaway = once(client.session, "goaway");
		child.kill("SIGTERM");
		await goaway;
		child.kill("SIGTERM");
		expect(await exit).toEqual([null, "SIGTERM"]);
	});

	test("ends the process within 8 s, though a handler goes on and the process has other work", async () => {
		const { child, address, output } = await program(
			"true",
			"setInterval(() => {}, 1000);",
		);
		const exit = once(child, "exit");
		await using client = new RawClient(address);
		const call = client.open(getOrder).send(text("wait")).end();
		await begun(output, child);
		const started = performance.now();
		child.kill("SIGTERM");
		expect((await call.outcome).status).toBe(14);
		expect(await exit).toEqual([null, "SIGTERM"]);
		const tookMs = performance.now() - started;
		expect(tookMs).toBeGreaterThan(6000);
		expect(tookMs).toBeLessThan(8500);
	}, 20_000);

	test("ends the process in that time, though a shutdown that was asked for before would take longer", async () => {
		const { child, address, output } = await program(
			"{ graceMs: 7_500, propagationMs: 200 }",
			`process.on("SIGUSR2", () => void server.shutdown({ graceMs: 60_000 }));`,
		);
		const exit = once(child, "exit");
		await using client = new RawClient(address);
		client.open(getOrder).send(text("wait")).end();
		await begun(output, child);
		const goaway = once(client.session, "goaway");
		child.kill("SIGUSR2");
		await goaway;
		const started = performance.now();
		child.kill("SIGTERM");
		expect(await exit).toEqual([null, "SIGTERM"]);
		const tookMs = performance.now() - started;
		expect(tookMs).toBeGreaterThan(8500);
		expect(tookMs).toBeLessThan(9500);
	}, 20_000);

	test.each([
		["on", "before"],
		["once", "before"],
		["on", "after"],
	] as const)(
		"leaves the end to whoever else listens to the signal (%s, %s the server)",
		async (how, when) => {
			const listener = `process.${how}("SIGTERM", () => {
				setTimeout(() => process.exit(3), 400);
			});`;
			const { child } =
				when === "before"
					? await program("true", listener)
					: await program(
							"true",
							`await server.listen("127.0.0.1:0"); ${listener}`,
						);
			const exit = once(child, "exit");
			child.kill("SIGTERM");
			expect(await exit).toEqual([3, null]);
		},
	);

	test("waits for every server in the process, and those who wait for its end hear of it", async () => {
		const { child, address, output } = await program(
			"true",
			`const other = new Server({ handleSignals: true });
			await other.listen("127.0.0.1:0");
			const watch = setInterval(async () => {
				if (server.snapshot().state === "serving") return;
				clearInterval(watch);
				await server.shutdown();
				console.log("over");
			}, 10);`,
		);
		const exit = once(child, "exit");
		await using client = new RawClient(address);
		const call = client.open(getOrder).send(text("a")).end();
		await begun(output, child);
		child.kill("SIGTERM");
		expect((await call.outcome).status).toBe(0);
		expect(await exit).toEqual([null, "SIGTERM"]);
		expect(output()).toMatch(/\nover\n$/);
	});

	test("leaves no listener behind after a shutdown that was asked for", async () => {
		const { child, output } = await program(
			"true",
			`setTimeout(async () => {
				console.log(process.listenerCount("SIGTERM"));
				await server.shutdown();
				console.log(process.listenerCount("SIGTERM"), process.listenerCount("SIGINT"));
			}, 50);`,
		);
		await once(child, "exit");
		expect(output()).toMatch(/\n1\n0 0\n$/);
	});

	test("is off by default: a signal ends the process as ever", async () => {
		const { child } = await program("undefined");
		const exit = once(child, "exit");
		child.kill("SIGTERM");
		expect(await exit).toEqual([null, "SIGTERM"]);
	});
});
