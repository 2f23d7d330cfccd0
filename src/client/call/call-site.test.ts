import {
	Code,
	ConnectError,
	createRouterTransport,
	type Interceptor,
} from "@connectrpc/connect";
import { Server } from "homing/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { NewOrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import type { ClientOptions } from "../options/client-options.ts";
import { callSite, showCallSite } from "./call-site.ts";

const FILE = "call-site.test.ts";

function fails(): never {
	throw new ConnectError("no\nnever", Code.NotFound);
}

const failing = {
	getOrder: fails,
	searchOrders: fails,
	updateOrders: fails,
	processOrders: fails,
};

async function failingServer(): Promise<AsyncDisposable & { address: string }> {
	const server = new Server();
	server.add(OrderManagement, failing);
	const { address } = await server.listen("127.0.0.1:0");
	return { address, [Symbol.asyncDispose]: () => server.shutdown() };
}

async function stackOf(failed: Promise<unknown>): Promise<string> {
	const error = await failed.then(
		() => undefined,
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(Error);
	return (error as Error).stack as string;
}

/** The function of the first frame. */
function firstFrame(stack: string): string | undefined {
	return /\n {4}at (?:async )?(\S+) /.exec(stack)?.[1];
}

type Calls = Record<
	string,
	(orders: OrderManagementClient) => Promise<unknown>
>;

/** Each makes a call, and none awaits it: no asynchronous function is there to be shown. */
const calls: Calls = {
	unary: function theCaller(orders) {
		return orders.getOrder({});
	},
	"server streaming": function theCaller(orders) {
		return orders.searchOrders({}).recv();
	},
	"client streaming": function theCaller(orders) {
		return orders.updateOrders([]);
	},
	"client streaming, by a handle": function theCaller(orders) {
		return orders.updateOrders.open().closeAndRecv();
	},
	"bidirectional streaming": function theCaller(orders) {
		return orders.processOrders([]).recv();
	},
	"bidirectional streaming, by a handle": function theCaller(orders) {
		return orders.processOrders.open().recv();
	},
};

const passing: Interceptor = (next) => (request) => next(request);

/** Calls of tests before may have been looked at just now. */
function forgetCalls(): void {
	let now = performance.now() + 1e6;
	const spy = vi.spyOn(performance, "now").mockImplementation(() => now);
	for (let i = 0; i < 501; i++) callSite(forgetCalls);
	now += 1e6;
	callSite(forgetCalls);
	spy.mockRestore();
}

describe("the error of a call shows the line that made it", () => {
	beforeEach(forgetCalls);

	for (const [kind, call] of Object.entries(calls)) {
		for (const [way, options] of [
			["", {}],
			[", with interceptors", { interceptors: [passing] }],
		] satisfies [string, ClientOptions][]) {
			test(`${kind}${way}`, async () => {
				await using server = await failingServer();
				await using orders = NewOrderManagementClient(server.address, options);
				const stack = await stackOf(call(orders));
				expect(stack).toMatch(
					/^ConnectError: \[not_found\] no\nnever\n {4}at /,
				);
				expect(firstFrame(stack)).toMatch(/theCaller$/);
				expect(stack).toContain(FILE);
			});
		}

		test(`${kind}, over another transport`, async () => {
			const transport = createRouterTransport((router) => {
				router.service(OrderManagement, failing);
			});
			const stack = await stackOf(call(NewOrderManagementClient(transport)));
			expect(firstFrame(stack)).toMatch(/theCaller$/);
		});
	}

	test("if its deadline passes before it is sent", async () => {
		await using orders = NewOrderManagementClient("localhost:1", {
			timeout: 1,
		});
		async function theCaller(): Promise<void> {
			await orders.getOrder({}, { timeoutMs: 0.001 });
		}
		expect(firstFrame(await stackOf(theCaller()))).toBe("theCaller");
	});
});

describe("under load", () => {
	afterEach(() => {
		vi.restoreAllMocks();
	});

	/** How many of 10,000 calls are looked at that are made at once. */
	function lookedAt(): number {
		let sites = 0;
		for (let i = 0; i < 10_000; i++) {
			if (callSite(lookedAt) !== undefined) sites += 1;
		}
		return sites;
	}

	test("looks at the stack of 500 calls per second", () => {
		let now = performance.now() + 1e6;
		vi.spyOn(performance, "now").mockImplementation(() => now);
		lookedAt();
		now += 1001;
		expect(lookedAt()).toBe(500);
		now += 500;
		expect(lookedAt()).toBe(0);
		now += 501;
		expect(lookedAt()).toBe(500);
	});

	test("the errors of all other unary calls show the functions that await them", async () => {
		lookedAt();
		vi.spyOn(performance, "now").mockReturnValue(performance.now());
		await using server = await failingServer();
		await using orders = NewOrderManagementClient(server.address, {
			timeout: 0,
		});
		async function inner(): Promise<void> {
			await orders.getOrder({});
		}
		async function outer(): Promise<void> {
			await inner();
		}
		expect(await stackOf(outer())).toMatch(
			/never\n {4}at (?:async )?inner .*\n {4}at (?:async )?outer /,
		);
		const stack = await stackOf((calls["unary"] as Calls[string])(orders));
		expect(stack).not.toContain("theCaller");
	});
});

describe("an error that is thrown again and again", () => {
	test("shows one call site", () => {
		const error = new Error("again");
		const site = { stack: "Error\n    at theCaller (file.ts:1:1)" };
		for (let i = 0; i < 3; i++) showCallSite(error, site);
		expect(error.stack?.split("theCaller")).toHaveLength(2);
		expect(error.stack).toMatch(/^Error: again\n {4}at theCaller \(file/);
	});

	test("keeps a stack that was assigned later", () => {
		const error = new Error("again");
		showCallSite(error, { stack: "Error\n    at theCaller (file.ts:1:1)" });
		error.stack = "mine";
		expect(error.stack).toBe("mine");
		expect(Object.keys(error)).toEqual([]);
	});

	test("is not changed if it is frozen", () => {
		const error = Object.freeze(new Error("cold"));
		const before = error.stack;
		showCallSite(error, { stack: "Error\n    at theCaller (file.ts:1:1)" });
		expect(error.stack).toBe(before);
	});
});
