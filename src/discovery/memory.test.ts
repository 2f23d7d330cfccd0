import { expect, test } from "vitest";
import { settled } from "../../testdata/harness/fake-clock.ts";
import { Watching } from "../../testdata/harness/watching.ts";
import { MemoryRegistry, memoryRegistry } from "./memory.ts";

const { signal } = new AbortController();

test("an instance is found from its registration until the registration is disposed", async () => {
	const registry = new MemoryRegistry();
	await using watching = new Watching(registry.resolver("payment"));
	await settled();
	expect(watching.addresses).toEqual([]);

	const first = await registry.register({ name: "payment", port: 1 }, signal);
	await settled();
	expect(watching.addresses).toEqual(["127.0.0.1:1"]);

	await registry.register(
		{
			name: "payment",
			host: "::1",
			port: 2,
			weight: 3,
			zone: "b",
			attributes: { version: "2" },
		},
		signal,
	);
	await first[Symbol.asyncDispose]();
	await settled();
	expect(watching.seen.at(-1)).toEqual({
		endpoints: [
			{
				address: "[::1]:2",
				weight: 3,
				zone: "b",
				attributes: { version: "2" },
			},
		],
	});
});

test("each name has its own instances", async () => {
	const registry = new MemoryRegistry();
	await registry.register({ name: "payment", port: 1 }, signal);
	await using watching = new Watching(registry.resolver("billing"));
	await settled();
	expect(watching.addresses).toEqual([]);
});

test("an instance that is not serving is not found, but stays registered", async () => {
	const registry = new MemoryRegistry();
	const registration = await registry.register({ name: "p", port: 1 }, signal);
	await using watching = new Watching(registry.resolver("p"));
	await settled();
	await registration.setServing(false);
	await settled();
	expect(watching.addresses).toEqual([]);
	await registration.setServing(true);
	await settled();
	expect(watching.addresses).toEqual(["127.0.0.1:1"]);
});

test("an instance replaces one with the same id, and disposing the replaced one changes nothing", async () => {
	const registry = new MemoryRegistry();
	const old = await registry.register({ name: "p", id: "x", port: 1 }, signal);
	await registry.register({ name: "p", id: "x", port: 2 }, signal);
	await using watching = new Watching(registry.resolver("p"));
	await settled();
	expect(watching.addresses).toEqual(["127.0.0.1:2"]);
	await old[Symbol.asyncDispose]();
	await old.setServing(false);
	await settled();
	expect(watching.addresses).toEqual(["127.0.0.1:2"]);
});

test("an instance of weight 0 gets no calls", async () => {
	const registry = new MemoryRegistry();
	await registry.register({ name: "p", port: 1, weight: 0 }, signal);
	await using watching = new Watching(registry.resolver("p"));
	await settled();
	expect(watching.addresses).toEqual([]);
});

test("an invalid instance is refused", async () => {
	const registry = new MemoryRegistry();
	await expect(
		registry.register({ name: "p", port: 0 }, signal),
	).rejects.toThrow('instance of p.address: port "0"');
	await expect(
		registry.register({ name: "p", port: 1 }, AbortSignal.abort("no")),
	).rejects.toBe("no");
});

test("a watch ends when its signal fires", async () => {
	const registry = new MemoryRegistry();
	const watching = new Watching(registry.resolver("p"));
	await settled();
	await watching[Symbol.asyncDispose]();
	await registry.register({ name: "p", port: 1 }, signal);
	await settled();
	expect(watching.seen).toHaveLength(1);
});

test("changes are seen without a refresh", async () => {
	const registry = new MemoryRegistry();
	await using watching = new Watching(registry.resolver("p"));
	await settled();
	expect(watching.seen).toHaveLength(1);
	expect(watching.refreshesAwaited).toBe(0);
});

test("all memory: targets of a process share one registry", () => {
	expect(memoryRegistry()).toBe(memoryRegistry());
});
