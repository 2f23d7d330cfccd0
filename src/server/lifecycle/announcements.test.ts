import { describe, expect, test, vi } from "vitest";
import { MemoryRegistry } from "../../discovery/memory.ts";
import type {
	Instance,
	Registration,
	Registry,
} from "../../discovery/registry.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import { Server } from "../server.ts";

/** What can be found by a name at the moment. */
async function found(
	registry: MemoryRegistry,
	name: string,
): Promise<readonly Endpoint[]> {
	const stop = new AbortController();
	const context = {
		signal: stop.signal,
		refresh: () => new Promise<void>(() => {}),
	};
	for await (const { endpoints } of registry.resolver(name).watch(context)) {
		stop.abort();
		return endpoints;
	}
	throw new Error("the resolver has yielded nothing");
}

/** A registry that notes what happens to it. */
function noting(
	log: string[],
	more: Partial<Registration> = {},
): Registry & {
	instances: Instance[];
} {
	const instances: Instance[] = [];
	return {
		instances,
		register: async (instance) => {
			instances.push(instance);
			log.push("registered");
			return {
				setServing: async (serving) => void log.push(`serving ${serving}`),
				[Symbol.asyncDispose]: async () => void log.push("withdrawn"),
				...more,
			};
		},
	};
}

describe("Server.announce", () => {
	test("makes the server known by its address, until it shuts down", async () => {
		const registry = new MemoryRegistry();
		const server = new Server();
		const { address } = await server.listen("127.0.0.1:0");
		await server.announce(registry, { name: "orders", weight: 3 });
		expect(await found(registry, "orders")).toMatchObject([
			{ address, weight: 3 },
		]);
		await server.shutdown();
		expect(await found(registry, "orders")).toEqual([]);
	});

	test("leaves the host of a wildcard to the registry, and what is given as it is", async () => {
		const log: string[] = [];
		const registry = noting(log);
		const server = new Server();
		const { port } = await server.listen("0.0.0.0:0");
		await server.announce(registry, { name: "a", host: undefined });
		await server.announce(registry, { name: "b", host: "b.test", port: 5 });
		expect(registry.instances).toEqual([
			{ name: "a", port },
			{ name: "b", host: "b.test", port: 5 },
		]);
		await server.shutdown();
		expect(log.filter((line) => line === "withdrawn")).toHaveLength(2);
	});

	test("before listen needs a port", async () => {
		const server = new Server();
		const registry = noting([]);
		await expect(server.announce(registry, { name: "a" })).rejects.toThrow(
			/cannot announce a: .*listen first/,
		);
		await server.announce(registry, { name: "a", port: 5 });
		await server.shutdown();
	});

	test("returns what ends it, and it ends only once", async () => {
		const log: string[] = [];
		const server = new Server();
		await server.listen("127.0.0.1:0");
		const registration = await server.announce(noting(log), { name: "a" });
		await registration.setServing(false);
		await registration[Symbol.asyncDispose]();
		await registration[Symbol.asyncDispose]();
		await server.shutdown();
		expect(log).toEqual(["registered", "serving false", "withdrawn"]);
	});

	test("is undone at shutdown after health has said NOT_SERVING, and before the listening ends", async () => {
		const server = new Server();
		await server.listen("127.0.0.1:0");
		let then: object | undefined;
		const registry = noting([], {
			[Symbol.asyncDispose]: async () => {
				then = server.snapshot();
			},
		});
		await server.announce(registry, { name: "a" });
		await server.shutdown();
		expect(then).toMatchObject({
			serving: { "": false },
			addresses: [expect.any(String)],
		});
	});

	test("a registry that fails to forget stops no shutdown, and onError hears", async () => {
		const onError = vi.fn();
		const server = new Server({ onError });
		await server.listen("127.0.0.1:0");
		const registry = noting([], {
			[Symbol.asyncDispose]: () => Promise.reject(new Error("no answer")),
		});
		await server.announce(registry, { name: "a" });
		await server.shutdown();
		expect(onError).toHaveBeenCalledWith(new Error("no answer"), {
			service: "",
			method: "",
		});
	});

	test("a registry that never answers holds a shutdown up for 5 s", async () => {
		const server = new Server();
		await server.listen("127.0.0.1:0");
		const registry = noting([], {
			[Symbol.asyncDispose]: () => new Promise(() => {}),
		});
		await server.announce(registry, { name: "a" });
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
		try {
			const shutdown = server.shutdown();
			await vi.advanceTimersByTimeAsync(4_999);
			expect(server.snapshot().addresses).toHaveLength(1);
			await vi.advanceTimersByTimeAsync(1);
			expect(server.snapshot().addresses).toEqual([]);
			await shutdown;
		} finally {
			vi.useRealTimers();
		}
	});

	test("that is under way at shutdown is given up, or undone", async () => {
		const log: string[] = [];
		const server = new Server();
		await server.listen("127.0.0.1:0");
		const registered = Promise.withResolvers<void>();
		const slow: Registry = {
			register: async (_, signal) => {
				signal.addEventListener("abort", () => log.push("told"));
				await registered.promise;
				return {
					setServing: async () => {},
					[Symbol.asyncDispose]: async () => void log.push("undone"),
				};
			},
		};
		const announcing = server.announce(slow, { name: "a" });
		const outcome = expect(announcing).rejects.toThrow(/shutting down/);
		await server.shutdown();
		registered.resolve();
		await outcome;
		expect(log).toEqual(["told", "undone"]);
		await expect(server.announce(slow, { name: "a" })).rejects.toThrow(
			/has been shut down/,
		);
	});
});
