import { describe, expect, test } from "vitest";
import { serviceOf } from "../../testdata/harness/service-of.ts";
import { OrderManagement } from "../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { Caller } from "./call/caller.ts";
import { channelOf, closeClient, makeClient } from "./client-object.ts";

/** A caller that only records its calls. */
function noted(): { caller: Caller; calls: string[] } {
	const calls: string[] = [];
	const caller: Caller = {
		unary: (method) => {
			calls.push(method.name);
			return new Promise(() => {});
		},
		stream: () => {
			throw new Error("not here");
		},
	};
	return { caller, calls };
}

const lifecycle = { channel: undefined, close: async () => {} };

function clientOf(...methods: string[]): {
	client: Record<string, () => unknown>;
	calls: string[];
} {
	const { caller, calls } = noted();
	return {
		client: makeClient(serviceOf(...methods), caller, lifecycle),
		calls,
	};
}

describe("a client", () => {
	test("has no prototype and no string keys but its methods", () => {
		const client = makeClient<object>(
			OrderManagement,
			noted().caller,
			lifecycle,
		);
		expect(Object.getPrototypeOf(client)).toBeNull();
		expect(Object.getOwnPropertyNames(client)).toEqual([
			"getOrder",
			"searchOrders",
			"updateOrders",
			"processOrders",
		]);
		expect("toString" in client).toBe(false);
	});

	test("is no thenable, so that it can be awaited and returned from async functions", async () => {
		const client = makeClient<object>(
			OrderManagement,
			noted().caller,
			lifecycle,
		);
		expect(await client).toBe(client);
		expect(await (async () => client)()).toBe(client);
	});

	test("is no thenable even if an RPC is called Then, which becomes then$", async () => {
		const { client, calls } = clientOf("Then", "Catch");
		expect(Object.keys(client)).toEqual(["then$", "catch"]);
		expect(await client).toBe(client);
		void client["then$"]?.();
		expect(calls).toEqual(["Then"]);
	});

	test("has a method for every RPC, whatever its name means in JavaScript", () => {
		const names = [
			"__proto__",
			"Constructor",
			"ToString",
			"HasOwnProperty",
			"Close",
			"Prototype",
		];
		const { client, calls } = clientOf(...names);
		expect(Object.getPrototypeOf(client)).toBeNull();
		for (const call of Object.values(client)) void call();
		expect(calls).toEqual(names);
	});

	test("has methods that work without this", () => {
		const { client, calls } = clientOf("Get");
		const { get } = client;
		void get?.();
		expect(calls).toEqual(["Get"]);
	});
});

test.each([closeClient, channelOf])(
	"%o throws for an object that is no client",
	(act) => {
		for (const other of [{}, Object.create(null), noted().caller]) {
			expect(() => act(other)).toThrow(TypeError);
			expect(() => act(other)).toThrow("not a client that homing made");
		}
	},
);
