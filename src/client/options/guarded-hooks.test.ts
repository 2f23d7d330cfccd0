/** What a user's hook, listener or balancer throws changes no call and ends no process. */

import { Server } from "homing/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
	RegisterEchoServiceServer,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type {
	Balancer,
	BalancerHelper,
	Pick,
	Subchannel,
} from "../../balancer/balancer.ts";
import { leastRequest } from "../../balancer/least-request.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import { staticResolver } from "../../discovery/static.ts";
import { channelOf, closeClient } from "../client-object.ts";
import type { CallOptions } from "./call-options.ts";
import type { ClientOptions } from "./client-options.ts";

/** All places where homing calls code of the user, by their names in the docs. */
const HOOKS = [
	"callStart",
	"callEnd",
	"attemptStart",
	"attemptEnd",
	"retry",
	"resolved",
	"endpointState",
	"metadataDropped",
] as const;
const BALANCER = ["exitIdle", "close", "started", "ended", "onState"] as const;
const PLACES = [
	...HOOKS,
	...BALANCER,
	"after",
	"onHeader",
	"onTrailer",
	"onStateChange",
] as const;
type Place = (typeof PLACES)[number];

/** What the user's code does there. `abort` cancels the call. */
interface Victim {
	readonly client: EchoServiceClient;
	readonly abort: AbortController;
}
const MISCHIEF: Record<string, (victim: Victim) => unknown> = {
	"throws an Error": () => {
		throw new Error("a mistake of the user's");
	},
	"throws what is no Error and cannot be shown": () => {
		throw {
			get [Symbol.for("nodejs.util.inspect.custom")]() {
				throw new Error("not to be looked at");
			},
		};
	},
	"returns a promise that rejects": async () => {
		await null;
		throw new Error("a mistake of the user's, later");
	},
	"returns a thenable that throws": () => ({
		// biome-ignore lint/suspicious/noThenProperty: this test needs a thenable
		then() {
			throw new Error("no promise");
		},
	}),
	"cancels the call": ({ abort }) => abort.abort(),
	"closes the client": ({ client }) => void closeClient(client),
	"makes another call": ({ client }) =>
		void client.echo({ mes: "again" }).catch(() => {}),
	"looks at the channel": ({ client }) => void channelOf(client)?.snapshot(),
};
const CHANGES_NOTHING = Object.keys(MISCHIEF).filter(
	(name) => !name.startsWith("c"),
);

/** A custom balancer that wraps a built-in one and calls `at` in each of its methods. */
function meddling(at: (place: Place) => unknown) {
	return (helper: BalancerHelper): Balancer => {
		const inner = leastRequest({
			...helper,
			createSubchannel: (endpoint, onState) =>
				helper.createSubchannel(endpoint, (state, error) => {
					onState(state, error);
					return at("onState");
				}),
			publish: (state, picker) =>
				helper.publish(state, {
					pick: (call) => {
						const pick = picker.pick(call);
						if (pick.kind !== "subchannel") return pick;
						return {
							kind: "subchannel",
							subchannel: pick.subchannel,
							started: () => {
								pick.started?.();
								return at("started");
							},
							ended: (outcome) => {
								pick.ended?.(outcome);
								return at("ended");
							},
						};
					},
				}),
		});
		helper.after(0, () => at("after"));
		return {
			update: (endpoints) => {
				helper.publish("idle", { pick: () => ({ kind: "wait" }) });
				inner.update(endpoints);
			},
			exitIdle: () => {
				inner.exitIdle();
				return at("exitIdle");
			},
			close: () => {
				inner.close();
				return at("close");
			},
		};
	};
}

/** A custom balancer with one subchannel, for which `pick` chooses the result. */
function picking(
	pick: (subchannel: Subchannel) => Pick,
): (helper: BalancerHelper) => Balancer {
	return (helper) => {
		let subchannel: ReturnType<BalancerHelper["createSubchannel"]>;
		return {
			update([endpoint]) {
				subchannel = helper.createSubchannel(endpoint as Endpoint, (state) => {
					if (state !== "ready") return;
					helper.publish("ready", { pick: () => pick(subchannel) });
				});
				subchannel.connect();
			},
			exitIdle() {},
			close() {},
		};
	};
}

let printed: ReturnType<typeof vi.spyOn>;
const stray: unknown[] = [];
const note = (error: unknown): void => void stray.push(error);
beforeEach(() => {
	stray.length = 0;
	printed = vi.spyOn(console, "error").mockImplementation(() => {});
	process.on("uncaughtException", note);
	process.on("unhandledRejection", note);
});
afterEach(() => {
	process.off("uncaughtException", note);
	process.off("unhandledRejection", note);
	printed.mockRestore();
});

async function echoServer(): Promise<Server> {
	const server = new Server();
	let first = true;
	RegisterEchoServiceServer(server, {
		echo: ({ mes }, { requestHeader }) => {
			if (requestHeader.has("x-fail") && first) {
				first = false;
				throw Object.assign(new Error(), {});
			}
			return { resp: mes };
		},
	});
	return server;
}

describe.each(Object.keys(MISCHIEF))("a callback that %s", (name) => {
	test.each(PLACES)("changes no call and is printed: %s", async (place) => {
		await using server = await echoServer();
		const { address } = await server.listen("127.0.0.1:0");
		let abort = new AbortController();
		let busy = false;
		let visits = 0;
		const at = (where: Place): unknown => {
			if (where !== place || busy || visits === 20) return undefined;
			visits++;
			busy = true;
			try {
				return MISCHIEF[name]?.({ client, abort });
			} finally {
				busy = false;
			}
		};
		const options: ClientOptions = {
			retryPolicy: {
				maxAttempts: 2,
				initialBackoff: 1,
				maxBackoff: 1,
				backoffMultiplier: 1,
				retryableStatusCodes: ["UNKNOWN"],
			},
			hooks: Object.fromEntries(HOOKS.map((hook) => [hook, () => at(hook)])),
		};
		if (!(HOOKS as readonly string[]).includes(place)) {
			options.balancer = meddling(at);
		}
		const client = NewEchoServiceClient(address, options);
		channelOf(client)?.onStateChange(() => at("onStateChange"));
		const call = (further: CallOptions = {}) => {
			abort = new AbortController();
			return client
				.echo({ mes: "here" }, { signal: abort.signal, ...further })
				.then(
					({ resp }) => resp,
					(error: Error) => error.message,
				);
		};
		const outcomes = [
			await call({ headers: { "x-fail": "1", "user-agent": "dropped" } }),
			await call({
				onHeader: () => at("onHeader") as undefined,
				onTrailer: () => at("onTrailer") as undefined,
			}),
			...(await Promise.all([call(), call()])),
		];
		if (CHANGES_NOTHING.includes(name)) {
			expect(outcomes).toEqual(["here", "here", "here", "here"]);
		}
		channelOf(client)?.snapshot();
		await closeClient(client);
		expect(channelOf(client)?.state).toBe("shutdown");
		expect(channelOf(client)?.snapshot()).toMatchObject({
			callsInFlight: 0,
			callsWaiting: 0,
			endpoints: [],
		});
		await vi.waitFor(() => expect(server.snapshot().connections).toBe(0));
		await new Promise(setImmediate);
		expect(stray).toEqual([]);
		expect(visits).toBeGreaterThan(0);
	});
});

describe("a call that cannot go on without a callback fails, and its error names the callback:", () => {
	const wrapped = (subchannel: Subchannel): Subchannel => ({
		endpoint: subchannel.endpoint,
		state: subchannel.state,
		connect: () => subchannel.connect(),
	});
	test.each<[string, (subchannel: Subchannel) => Pick, RegExp]>([
		[
			"a picker that throws",
			() => {
				throw new Error("no idea");
			},
			/^\[internal\] no idea$/,
		],
		[
			"a picker that is asynchronous",
			(async () => Promise.reject(new Error("later"))) as never,
			/^\[internal\] the picker answered an object of class Promise, which is no Pick$/,
		],
		[
			"a picker that wraps the subchannel",
			(subchannel) => ({
				kind: "subchannel",
				subchannel: wrapped(subchannel),
			}),
			/^\[internal\] the picker picked an object, which this balancer's createSubchannel has not returned/,
		],
		[
			"a picker that inherits from the subchannel",
			(subchannel) => ({
				kind: "subchannel",
				subchannel: Object.create(subchannel),
			}),
			/createSubchannel has not returned/,
		],
	])("%s", async (_, pick, message) => {
		await using server = await echoServer();
		const { address } = await server.listen("127.0.0.1:0");
		for (const circuitBreaker of [undefined, {}]) {
			await using client = NewEchoServiceClient(address, {
				balancer: picking(pick),
				circuitBreaker,
			});
			await expect(client.echo({})).rejects.toThrow(message);
		}
		await new Promise(setImmediate);
		expect(stray).toEqual([]);
	});

	test("credentials that throw or reject fail the attempt", async () => {
		await using server = await echoServer();
		const { address } = await server.listen("127.0.0.1:0");
		for (const credentials of [
			() => {
				throw new Error("no token");
			},
			async () => Promise.reject(new Error("no token")),
		]) {
			await using client = NewEchoServiceClient(address, {
				credentials,
				insecureCredentials: true,
			});
			await expect(client.echo({})).rejects.toThrow(
				"[unauthenticated] no credentials for the call: no token",
			);
		}
	});

	test("a resolver whose watch is an async function instead of a generator", async () => {
		for (const watch of [
			async () => [],
			async () => Promise.reject(new Error("unseen")),
		]) {
			await using client = NewEchoServiceClient({ watch } as never);
			await expect(client.echo({})).rejects.toThrow(
				"`watch` of the resolver returned an object of class Promise, which is no async iterable: write async *watch() { yield { endpoints }; }",
			);
		}
		await new Promise(setImmediate);
		expect(stray).toEqual([]);
	});

	test("a thrown value that cannot be made a string", async () => {
		await using server = await echoServer();
		const { address } = await server.listen("127.0.0.1:0");
		const thrower = (): never => {
			throw Object.create(null);
		};
		for (const [target, options] of [
			[address, { credentials: thrower, insecureCredentials: true }],
			[address, { interceptors: [() => thrower] }],
			[address, { tls: thrower }],
			[address, { balancer: thrower }],
			[address, { balancer: picking(thrower) }],
			[{ watch: thrower }, {}],
		] as [string, ClientOptions][]) {
			await using client = NewEchoServiceClient(target, options);
			await expect(client.echo({})).rejects.toThrow(
				"an object was thrown that has no text",
			);
		}
		await new Promise(setImmediate);
		expect(stray).toEqual([]);
	});

	test("a balancer that fails to take the first endpoints", async () => {
		await using server = await echoServer();
		const { address } = await server.listen("127.0.0.1:0");
		for (const update of [
			() => {
				throw new Error("too many");
			},
			async () => Promise.reject(new Error("too many")),
		]) {
			await using client = NewEchoServiceClient(address, {
				timeout: 500,
				balancer: () => ({ update, exitIdle() {}, close() {} }),
			});
			await expect(client.echo({})).rejects.toThrow(
				/too many|while waiting for a connection/,
			);
		}
		expect(stray).toEqual([]);
	});
});

test("connections are closed even if a balancer leaves them open when it is closed, or fails after making them", async () => {
	await using server = await echoServer();
	const { address } = await server.listen("127.0.0.1:0");
	const client = NewEchoServiceClient(address, {
		balancer: picking((subchannel) => ({ kind: "subchannel", subchannel })),
	});
	await client.echo({});
	expect(server.snapshot().connections).toBe(1);
	await closeClient(client);
	await vi.waitFor(() => expect(server.snapshot().connections).toBe(0));

	let late: (() => Subchannel) | undefined;
	const failing = NewEchoServiceClient(address, {
		balancer: (helper) => {
			late = () => helper.createSubchannel({ address }, () => {});
			late().connect();
			throw new Error("and now this");
		},
	});
	await expect(failing.echo({})).rejects.toThrow("and now this");
	await vi.waitFor(() => expect(server.snapshot().connections).toBe(0));
	expect(late?.().state).toBe("shutdown");
	await closeClient(failing);
});

test("a balancer that failed to take endpoints gets the next ones, also with zones", async () => {
	await using server = await echoServer();
	const { address } = await server.listen("127.0.0.1:0");
	let updates = 0;
	let inform = (): void => {};
	await using client = NewEchoServiceClient(
		{
			async *watch() {
				yield { endpoints: [{ address, zone: "a" }] };
				await new Promise<void>((resolve) => {
					inform = resolve;
				});
				yield { endpoints: [{ address, zone: "a", weight: 2 }] };
				await new Promise(() => {});
			},
		},
		{
			localZone: "a",
			balancer: (helper) => {
				const inner = leastRequest(helper);
				return {
					update(endpoints) {
						if (updates++ === 0) throw new Error("not yet");
						inner.update(endpoints);
					},
					exitIdle: () => inner.exitIdle(),
					close: () => inner.close(),
				};
			},
		},
	);
	await expect(client.echo({})).rejects.toThrow("not yet");
	inform();
	expect(
		(await client.echo({ mes: "here" }, { waitForReady: true })).resp,
	).toBe("here");
});

test.each(["round_robin", "least_request", "pick_first", "ring_hash"])(
	"a hook that closes the channel while %s connects leaves no connection behind",
	async (balancer) => {
		await using server = await echoServer();
		const all = await Promise.all(
			Array.from({ length: 3 }, () => server.listen("127.0.0.1:0")),
		);
		for (const closing of ["connecting", "ready"]) {
			const client = NewEchoServiceClient(
				staticResolver(all.map(({ address }) => address)),
				{
					balancer,
					hooks: {
						endpointState: (_, state) => {
							if (state === closing) void closeClient(client);
						},
					},
				},
			);
			await client.echo({}, { hashKey: "key" }).catch(() => {});
			await closeClient(client);
			expect(channelOf(client)?.snapshot()).toMatchObject({
				state: "shutdown",
				callsInFlight: 0,
				endpoints: [],
			});
			await vi.waitFor(() => expect(server.snapshot().connections).toBe(0));
		}
	},
);

test("what onHeader and onTrailer throw is printed, and the call succeeds", async () => {
	await using server = await echoServer();
	const { address } = await server.listen("127.0.0.1:0");
	await using client = NewEchoServiceClient(address);
	const mistake = new Error("mine");
	const mine = (): never => {
		throw mistake;
	};
	vi.spyOn(performance, "now").mockReturnValue(1e9);
	const { resp } = await client.echo(
		{ mes: "here" },
		{ onHeader: mine, onTrailer: mine },
	);
	vi.restoreAllMocks();
	expect(resp).toBe("here");
	for (const name of ["onHeader", "onTrailer"]) {
		expect(printed.mock.calls).toContainEqual([
			expect.stringContaining(`homing: ${name} threw, and no call is changed`),
			mistake,
		]);
	}
});
