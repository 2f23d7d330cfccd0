import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
	answer,
	refuse,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { NewEchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { Resolution, Resolver } from "../../discovery/resolver.ts";
import { channelOf } from "../client-object.ts";
import type { ClientOptions } from "./client-options.ts";
import type { CallInfo, ClientHooks } from "./hooks.ts";

type Heard = [name: string, ...args: unknown[]];

/** All hooks; each records its calls. */
function noted(): { hooks: ClientHooks; heard: Heard[]; names(): string[] } {
	const heard: Heard[] = [];
	const note =
		(name: string) =>
		(...args: unknown[]): void => {
			heard.push([name, ...args]);
		};
	const names = [
		"callStart",
		"callEnd",
		"attemptStart",
		"attemptEnd",
		"retry",
		"resolved",
		"endpointState",
		"metadataDropped",
	] satisfies (keyof Required<ClientHooks>)[];
	const hooks = Object.fromEntries(names.map((name) => [name, note(name)]));
	return { hooks, heard, names: () => heard.map(([name]) => name) };
}

function argsOf(heard: Heard[], wanted: string): unknown[] {
	const found = heard.find(([name]) => name === wanted);
	if (found === undefined) throw new Error(`${wanted} was not heard`);
	return found.slice(1);
}

test("a successful call calls the hooks in the order of its events", async () => {
	await using server = await serveStreams((stream) => answer(stream));
	const { hooks, heard, names } = noted();
	await using client = NewEchoServiceClient(server.address, { hooks });
	await client.echo({}, { headers: { "x-a": "1" }, timeoutMs: 5000 });
	expect(names()).toEqual([
		"callStart",
		"resolved",
		"endpointState",
		"endpointState",
		"attemptStart",
		"attemptEnd",
		"callEnd",
	]);
	const endpoint = { address: server.address };
	expect(heard[1]).toEqual(["resolved", { endpoints: [endpoint] }]);
	expect(heard[2]).toEqual(["endpointState", endpoint, "connecting", ""]);
	expect(heard[3]).toEqual(["endpointState", endpoint, "ready", ""]);

	const [call] = argsOf(heard, "callStart") as [CallInfo];
	expect(call).toMatchObject({ service: "echo.EchoService", method: "Echo" });
	expect(call.header.get("x-a")).toBe("1");
	expect(call.deadline).toBeGreaterThan(performance.now());
	expect(call.deadline).toBeLessThan(performance.now() + 5000);

	const about = { number: 1, endpoint };
	expect(argsOf(heard, "attemptStart")).toEqual([
		call,
		{ ...about, hedge: false },
	]);
	const latencyMs = expect.any(Number);
	expect(argsOf(heard, "attemptEnd")).toEqual([
		call,
		{ ...about, code: undefined, latencyMs },
	]);
	expect(argsOf(heard, "callEnd")).toEqual([
		call,
		{ code: undefined, latencyMs, attempts: 1 },
	]);
	for (const name of ["attemptStart", "attemptEnd", "callEnd"]) {
		expect(argsOf(heard, name)[0]).toBe(call);
	}
});

/** The codes that `callEnd` and `attemptEnd` get for one call. */
async function endsOf(
	address: string,
	options: ClientOptions = {},
	call: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<{ call: unknown; attempt: unknown; attempts: unknown }> {
	const { hooks, heard } = noted();
	await using client = NewEchoServiceClient(address, { ...options, hooks });
	await client.echo({}, call).catch(() => {});
	const codeIn = (name: string): unknown =>
		heard.some(([heard]) => heard === name)
			? (argsOf(heard, name)[1] as { code: unknown }).code
			: "not heard";
	const { attempts } = argsOf(heard, "callEnd")[1] as { attempts: number };
	return { call: codeIn("callEnd"), attempt: codeIn("attemptEnd"), attempts };
}

describe("a failed call calls the hooks", () => {
	test("with the code of the server", async () => {
		await using server = await serveStreams((stream) => refuse(stream, 5));
		expect(await endsOf(server.address)).toEqual({
			call: Code.NotFound,
			attempt: Code.NotFound,
			attempts: 1,
		});
	});

	test("without attempts if there was no connection", async () => {
		expect(await endsOf("127.0.0.1:1")).toEqual({
			call: Code.Unavailable,
			attempt: "not heard",
			attempts: 0,
		});
	});

	test("with DEADLINE_EXCEEDED for the call and its attempt, which counts as a failure for the balancer", async () => {
		await using server = await serveStreams(() => {});
		expect(await endsOf(server.address, {}, { timeoutMs: 100 })).toEqual({
			call: Code.DeadlineExceeded,
			attempt: Code.DeadlineExceeded,
			attempts: 1,
		});
	});

	test("with CANCELED if its caller cancels it", async () => {
		const abort = new AbortController();
		await using server = await serveStreams(() => abort.abort());
		expect(await endsOf(server.address, {}, { signal: abort.signal })).toEqual({
			call: Code.Canceled,
			attempt: Code.Canceled,
			attempts: 1,
		});
	});

	test("without attempts if it was cancelled before it started", async () => {
		const signal = AbortSignal.abort();
		expect(await endsOf("127.0.0.1:1", {}, { signal })).toEqual({
			call: Code.Canceled,
			attempt: "not heard",
			attempts: 0,
		});
	});
});

test("metadataDropped is called for each name that is reserved for HTTP/2 or gRPC", async () => {
	const received: Record<string, unknown>[] = [];
	await using server = await serveStreams((stream, headers) => {
		received.push(headers);
		answer(stream);
	});
	const { hooks, heard } = noted();
	await using client = NewEchoServiceClient(server.address, { hooks });
	await client.echo(
		{},
		{
			headers: {
				te: "gzip",
				"grpc-timeout": "1n",
				"user-agent": "me",
				"x-good": "1",
				"grpc-previous-rpc-attempts": "7",
			},
		},
	);
	const dropped = heard.filter(([name]) => name === "metadataDropped");
	expect(dropped.map(([, , name]) => name)).toEqual([
		"grpc-timeout",
		"te",
		"user-agent",
	]);
	expect(dropped[0]?.[1]).toBe(argsOf(heard, "callStart")[0]);
	expect(received[0]).toMatchObject({
		te: "trailers",
		"grpc-timeout": expect.stringMatching(/^\d{7,8}[num]$/),
		"user-agent": expect.stringMatching(/^homing\//),
		"x-good": "1",
		"grpc-previous-rpc-attempts": "7",
	});
});

test("a call whose failure ejects an endpoint calls each hook once, in the order of the events", async () => {
	await using sick = await serveStreams((stream) => refuse(stream, 14));
	await using well = await serveStreams((stream) => answer(stream));
	const { hooks, heard } = noted();
	const both = Promise.withResolvers<void>();
	let ready = 0;
	await using client = NewEchoServiceClient(
		`ipv4:${sick.address},${well.address}`,
		{
			balancer: "round_robin",
			outlierDetection: { consecutiveFailures: 1 },
			circuitBreaker: { minimumCalls: 1 },
			retryPolicy: {
				maxAttempts: 2,
				initialBackoff: 1,
				maxBackoff: 1,
				backoffMultiplier: 1,
				retryableStatusCodes: ["UNAVAILABLE"],
			},
			hooks: {
				...hooks,
				endpointState(...args) {
					hooks.endpointState?.(...args);
					if (args[1] === "ready" && ++ready === 2) both.resolve();
				},
			},
		},
	);
	void channelOf(client)?.connect();
	await both.promise;
	heard.length = 0;
	while (!heard.some(([, , state]) => state === "ejected")) {
		heard.length = 0;
		await client.echo({});
	}
	expect(
		heard.map(([name, , state]) =>
			name === "endpointState" ? `${name} ${state}` : name,
		),
	).toEqual([
		"callStart",
		"attemptStart",
		"attemptEnd",
		"endpointState breakerOpen",
		"endpointState ejected",
		"endpointState transientFailure",
		"retry",
		"attemptStart",
		"attemptEnd",
		"callEnd",
	]);
	for (const [name, about, , reason] of heard) {
		if (name !== "endpointState") continue;
		expect(about).toEqual({ address: sick.address });
		expect(reason).toMatch(
			/1 of 1 calls failed|^ejected for 30 s: a call failed with \[unavailable\]$/,
		);
	}
});

test("endpointState is called with the reason, in the order of the changes", async () => {
	const { hooks, heard } = noted();
	const lost = Promise.withResolvers<void>();
	const endpointState: ClientHooks["endpointState"] = (...args) => {
		hooks.endpointState?.(...args);
		if (args[1] === "idle") lost.resolve();
	};
	await using server = await serveStreams((stream) => answer(stream));
	await using client = NewEchoServiceClient(server.address, {
		hooks: { endpointState },
	});
	await client.echo({});
	server.cut();
	await lost.promise;
	await client.echo({});
	expect(heard.map(([, , state]) => state)).toEqual([
		"connecting",
		"ready",
		"idle",
		"connecting",
		"ready",
	]);
});

test("endpointState is called with the error of a failed connection", async () => {
	const { hooks, heard } = noted();
	await using client = NewEchoServiceClient("127.0.0.1:1", { hooks });
	await client.echo({}).catch(() => {});
	const failure = heard.find(([, , state]) => state === "transientFailure");
	expect(failure?.[3]).toBe("connect ECONNREFUSED 127.0.0.1:1");
});

describe("resolved", () => {
	async function heardOf(...said: (Resolution | Error)[]): Promise<unknown[]> {
		const { hooks, heard } = noted();
		const resolver: Resolver = {
			async *watch({ report }) {
				for (const each of said) {
					if (each instanceof Error) report?.(each);
					else yield each;
				}
				throw new Error("the end");
			},
		};
		await using client = NewEchoServiceClient(resolver, { hooks });
		await client.echo({}, { timeoutMs: 200 }).catch(() => {});
		return heard
			.filter(([name]) => name === "resolved")
			.map(([, what]) => what);
	}
	const good: Resolution = { endpoints: [{ address: "127.0.0.1:1" }] };

	test("is called with resolutions, and with errors from which the resolver recovers or not", async () => {
		const survived = new Error("broken file");
		const heard = await heardOf(good, survived);
		expect(heard.slice(0, 3)).toEqual([
			good,
			{ error: survived },
			{ error: new Error("the end") },
		]);
	});

	test("is called with a resolution that has no endpoints", async () => {
		const [first] = (await heardOf({ endpoints: [] })) as { error: Error }[];
		expect(first?.error.message).toBe("the resolver has no endpoints");
	});

	test("is called with an error that names a bad address", async () => {
		const bad = { endpoints: [{ address: "no-port" }] };
		const [first] = (await heardOf(bad)) as { error: Error }[];
		expect(first?.error.message).toContain(
			"resolution.endpoints[0].address: has no port",
		);
	});

	test("is called with the error of a bad service config, and then with the endpoints", async () => {
		const serviceConfig = { methodConfig: 5 } as unknown as object;
		const heard = await heardOf(good, { ...good, serviceConfig });
		expect(heard[1]).toMatchObject({
			error: expect.objectContaining({ option: "serviceConfig.methodConfig" }),
		});
		expect(heard[2]).toEqual({ ...good, serviceConfig });
	});
});
