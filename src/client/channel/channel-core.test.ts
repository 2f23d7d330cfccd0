import { once } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import net from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import {
	type ClientInTime,
	clientInTime,
} from "../../../testdata/harness/client-in-time.ts";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import {
	answer,
	type RunningServer,
	serveRoutes,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import {
	type EchoServiceClient,
	NewEchoServiceClient,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { BalancerHelper, ChannelState } from "../../balancer/balancer.ts";
import type { Resolution, Resolver } from "../../discovery/resolver.ts";
import { staticResolver } from "../../discovery/static.ts";
import type { ClientOptions } from "../options/client-options.ts";
import type { ChannelCore } from "./channel-core.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

function inTime(
	target: string | Resolver,
	options?: ClientOptions,
): ClientInTime<EchoServiceClient> {
	const made = clientInTime<EchoServiceClient>(EchoService, target, options);
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

function client(
	target: string | Resolver,
	options?: ClientOptions,
): EchoServiceClient {
	const made = NewEchoServiceClient(target, options);
	after.push(() => made[Symbol.asyncDispose]());
	return made;
}

/** A server that answers with its name. */
async function named(resp: string): Promise<RunningServer> {
	const server = await serveRoutes((router) =>
		router.service(EchoService, { echo: () => ({ resp }) }),
	);
	after.push(() => server[Symbol.asyncDispose]());
	return server;
}

/** A server that answers when it is told to. */
async function holding(): Promise<
	RunningServer & {
		/** Resolves with the next call. */
		arrived(): Promise<void>;
		/** Answers the call that has waited longest. */
		release(): void;
	}
> {
	const held: (() => void)[] = [];
	let arrived = Promise.withResolvers<void>();
	const server = await serveStreams((stream) => {
		held.push(() => answer(stream));
		arrived.resolve();
		arrived = Promise.withResolvers();
	});
	after.push(() => server[Symbol.asyncDispose]());
	return Object.assign(server, {
		arrived: () => arrived.promise,
		release: () => held.shift()?.(),
	});
}

/** A resolver that says what a test tells it to. */
class Told implements Resolver {
	readonly #said: Resolution[];
	#news = Promise.withResolvers<void>();
	refreshes = 0;
	stopped = false;

	constructor(...said: Resolution[]) {
		this.#said = said;
	}

	say(resolution: Resolution): void {
		this.#said.push(resolution);
		this.#wake();
	}

	#wake(): void {
		this.#news.resolve();
		this.#news = Promise.withResolvers();
	}

	async *watch({ signal, refresh }: Parameters<Resolver["watch"]>[0]) {
		signal.addEventListener("abort", () => {
			this.stopped = true;
			this.#wake();
		});
		const count = (): void => {
			if (signal.aborted) return;
			this.refreshes += 1;
			void refresh().then(count);
		};
		void refresh().then(count);
		for (let next = 0; !signal.aborted; ) {
			const resolution = this.#said[next];
			if (resolution === undefined) await this.#news.promise;
			else {
				next += 1;
				yield resolution;
			}
		}
	}
}

function at(...servers: { address: string }[]): Resolution {
	return { endpoints: servers.map(({ address }) => ({ address })) };
}

async function becomes(core: ChannelCore, state: ChannelState): Promise<void> {
	if (core.state === state) return;
	const { promise, resolve } = Promise.withResolvers<void>();
	const stop = core.onStateChange((now) => {
		if (now === state) resolve();
	});
	await promise;
	stop();
}

async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
	const error = await call.then(
		() => new Error("the call went well"),
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(ConnectError);
	return error as ConnectError;
}

const MINUTES = 60_000;

describe("states", () => {
	test("go from idle over connecting to ready, and back when the connection is lost", async () => {
		const server = await named("a");
		const { client, core } = inTime(server.address, { balancer: "pick_first" });
		const states: ChannelState[] = [core.state];
		core.onStateChange((state) => states.push(state));
		await client.echo({});
		server.cut();
		await becomes(core, "idle");
		await client.echo({});
		await core.close(0);
		expect(states).toEqual([
			"idle",
			"connecting",
			"ready",
			"idle",
			"connecting",
			"ready",
			"shutdown",
		]);
	});

	test("are told until the listener is taken back, to each listener", async () => {
		const { core } = inTime("127.0.0.1:1");
		const heard: string[] = [];
		const stop = core.onStateChange((state) => heard.push(`one ${state}`));
		core.onStateChange((state) => heard.push(`two ${state}`));
		core.exitIdle();
		stop();
		await becomes(core, "transientFailure");
		expect(heard).toEqual([
			"one connecting",
			"two connecting",
			"two transientFailure",
		]);
	});

	test("the same listener twice is two listeners", () => {
		const { core } = inTime("127.0.0.1:1");
		let heard = 0;
		const listener = (): void => {
			heard += 1;
		};
		const stop = core.onStateChange(listener);
		core.onStateChange(listener);
		stop();
		core.exitIdle();
		expect(heard).toBe(1);
	});
});

describe("connect", () => {
	test("resolves when the channel is ready, without a call", async () => {
		const server = await named("a");
		const { core } = inTime(server.address);
		await core.connect(undefined);
		expect(core.state).toBe("ready");
		await core.connect(undefined);
		expect(server.accepted).toBe(1);
	});

	test("goes on through failures, until there is a server", async () => {
		const probe = net.createServer().listen(0, "127.0.0.1");
		await once(probe, "listening");
		const { port } = probe.address() as net.AddressInfo;
		probe.close();
		const { core, clock } = inTime(`127.0.0.1:${port}`);
		const connected = core.connect(undefined);
		await becomes(core, "transientFailure");
		const server = await serveStreams(() => {}, { at: port });
		after.push(() => server[Symbol.asyncDispose]());
		await clock.advance(1000);
		await connected;
	});

	test("rejects with the last error when its signal fires", async () => {
		const { core } = inTime("127.0.0.1:1");
		const abort = new AbortController();
		const connected = core.connect(abort.signal);
		await becomes(core, "transientFailure");
		abort.abort(new Error("enough"));
		await expect(connected).rejects.toThrow("ECONNREFUSED 127.0.0.1:1");
	});

	test("rejects with the signal's reason where nothing has failed", async () => {
		const { core } = inTime(new Told());
		const abort = new AbortController();
		const connected = core.connect(abort.signal);
		abort.abort(new Error("enough"));
		await expect(connected).rejects.toThrow("enough");
		const late = core.connect(AbortSignal.abort(new Error("late")));
		await expect(late).rejects.toThrow("late");
	});

	test("rejects when the channel is closed", async () => {
		const { core } = inTime(new Told());
		const connected = core.connect(undefined);
		void core.close(0);
		await expect(connected).rejects.toThrow("the channel has been closed");
		await expect(core.connect(undefined)).rejects.toThrow(
			"the channel has been closed",
		);
	});

	test("leaves neither timer nor listener behind", async () => {
		const server = await named("a");
		const { core, clock } = inTime(server.address);
		await core.connect(undefined);
		await settled();
		// The one that is left waits to idle.
		expect(clock.pending).toBe(1);
	});
});

describe("closing", () => {
	test("refuses new calls at once", async () => {
		const server = await holding();
		const { client, core } = inTime(server.address);
		const inFlight = client.echo({});
		await server.arrived();
		const closed = core.close(1000);
		const error = await errorOf(client.echo({}));
		expect(error).toMatchObject({
			code: Code.Unavailable,
			rawMessage: expect.stringMatching(
				/^the channel has been closed before this call was made, .*; make a new client/,
			),
		});
		server.release();
		await inFlight;
		await closed;
	});

	test("lets calls in flight finish, and is done as soon as they are", async () => {
		const server = await holding();
		const { client, core, clock } = inTime(server.address);
		const inFlight = client.echo({});
		await server.arrived();
		let done = false;
		const closed = core.close(1000).then(() => {
			done = true;
		});
		await clock.advance(999);
		expect(done).toBe(false);
		server.release();
		await inFlight;
		await closed;
		expect(core.state).toBe("shutdown");
	});

	test("cancels what is left after graceMs", async () => {
		const server = await holding();
		const { client, core, clock } = inTime(server.address, { timeout: 0 });
		const inFlight = errorOf(client.echo({}));
		await server.arrived();
		const closed = core.close(1000);
		await clock.advance(1000);
		expect(await inFlight).toMatchObject({
			code: Code.Canceled,
			rawMessage: "the channel has been closed",
		});
		await closed;
	});

	test("cancels all at once where there is no grace", async () => {
		const server = await holding();
		const { client, core } = inTime(server.address);
		const inFlight = errorOf(client.echo({}));
		await server.arrived();
		await core.close(0);
		expect((await inFlight).code).toBe(Code.Canceled);
		expect(core.snapshot()).toMatchObject({ callsInFlight: 0 });
	});

	test("cancels calls that wait for a connection", async () => {
		const { client, core } = inTime(new Told());
		const waiting = errorOf(client.echo({}));
		await settled();
		await core.close(0);
		expect((await waiting).code).toBe(Code.Canceled);
		expect(core.snapshot()).toMatchObject({ callsWaiting: 0 });
	});

	test("still connects calls that wait, within the grace", async () => {
		const server = await named("a");
		const told = new Told();
		const { client, core } = inTime(told);
		const waiting = client.echo({});
		const closed = core.close(1000);
		told.say(at(server));
		expect((await waiting).resp).toBe("a");
		await closed;
	});

	test("is the same promise every time", async () => {
		const { core } = inTime("127.0.0.1:1");
		const closed = core.close(1000);
		expect(core.close(0)).toBe(closed);
		await closed;
		expect(core.close(0)).toBe(closed);
	});

	test("ends connections, the watch, and every timer", async () => {
		const server = await named("a");
		const told = new Told(at(server));
		const { client, core, clock } = inTime(told);
		await client.echo({});
		const [session] = server.sessions;
		const gone = once(session as NonNullable<typeof session>, "close");
		await core.close(0);
		await gone;
		await settled();
		expect(told.stopped).toBe(true);
		expect(clock.pending).toBe(0);
		expect(core.snapshot()).toMatchObject({ endpoints: [] });
	});

	test("of a channel that was never used is at once", async () => {
		const { core } = inTime("127.0.0.1:1");
		await core.close(60_000);
		expect(core.state).toBe("shutdown");
	});
});

describe("idling", () => {
	test("after 30 minutes without a call, connections and the watch are ended; the next call starts both again", async () => {
		const server = await named("a");
		const told = new Told(at(server));
		const { client, core, clock } = inTime(told);
		await client.echo({});
		const [session] = server.sessions;
		const gone = once(session as NonNullable<typeof session>, "close");
		await clock.advance(30 * MINUTES - 1);
		expect(core.state).toBe("ready");
		await clock.advance(1);
		expect(core.state).toBe("idle");
		await gone;
		expect(told.stopped).toBe(true);
		expect(clock.pending).toBe(0);
		expect((await client.echo({})).resp).toBe("a");
		expect(server.accepted).toBe(2);
	});

	test("counts from the end of the last call", async () => {
		const server = await named("a");
		const { client, core, clock } = inTime(server.address, {
			idleTimeout: "60s",
		});
		await client.echo({});
		await clock.advance(59_000);
		await client.echo({});
		await clock.advance(59_000);
		expect(core.state).toBe("ready");
		await clock.advance(1000);
		expect(core.state).toBe("idle");
	});

	test("does not happen during a call, however long", async () => {
		const server = await holding();
		const { client, core, clock } = inTime(server.address, {
			idleTimeout: "1s",
			timeout: 0,
		});
		const call = client.echo({});
		await server.arrived();
		await clock.advance(10 * MINUTES);
		expect(core.state).toBe("ready");
		server.release();
		await call;
		await clock.advance(1000);
		expect(core.state).toBe("idle");
	});

	test("happens to a channel that only failed, too", async () => {
		const { client, core, clock } = inTime("127.0.0.1:1", {
			idleTimeout: "1s",
		});
		await errorOf(client.echo({}));
		await clock.advance(1000);
		expect(core.state).toBe("idle");
		expect(clock.pending).toBe(0);
	});
});

describe("resolutions", () => {
	test("move calls to other endpoints; those that stay keep their connections", async () => {
		const [a, b, c] = [await named("a"), await named("b"), await named("c")];
		const told = new Told(at(a, b));
		const { client, core } = inTime(told, { balancer: "round_robin" });
		const seen = new Set<string>();
		await core.connect(undefined);
		await until(async () => {
			seen.add((await client.echo({})).resp);
			return seen.size === 2;
		});
		told.say(at(b, c));
		await until(async () => (await client.echo({})).resp === "c");
		const later = new Set<string>();
		for (let i = 0; i < 6; i++) later.add((await client.echo({})).resp);
		expect(later).toEqual(new Set(["b", "c"]));
		expect([a.accepted, b.accepted, c.accepted]).toEqual([1, 1, 1]);
	});

	test("of an endpoint that goes let its calls finish", async () => {
		const [a, b] = [await holding(), await named("b")];
		const told = new Told(at(a));
		const moved = Promise.withResolvers<void>();
		const { client } = inTime(told, {
			hooks: {
				endpointState: ({ address }, state) => {
					if (address === b.address && state === "ready") moved.resolve();
				},
			},
		});
		const inFlight = client.echo({});
		await a.arrived();
		told.say(at(b));
		await moved.promise;
		expect((await client.echo({})).resp).toBe("b");
		a.release();
		expect((await inFlight).resp).toBe("");
	});

	test("without endpoints, and errors, keep the endpoints that there were", async () => {
		const server = await named("a");
		const told = new Told(at(server));
		const errors: string[] = [];
		const { client } = inTime(told, {
			hooks: {
				resolved: (heard) => {
					if ("error" in heard) errors.push(heard.error.message);
				},
			},
		});
		await client.echo({});
		told.say({ endpoints: [] });
		told.say({ endpoints: [{ address: "nonsense" }] });
		await settled();
		expect(errors).toHaveLength(2);
		expect((await client.echo({})).resp).toBe("a");
		expect(server.accepted).toBe(1);
	});

	test("that fail at first make calls fail fast, until one goes well", async () => {
		const server = await named("a");
		const told = new Told({ endpoints: [] });
		const { client, core } = inTime(told);
		const error = await errorOf(client.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toContain("has no endpoints");
		expect(core.state).toBe("transientFailure");
		told.say({ endpoints: [], reason: new Error("all are on holiday") });
		await settled();
		expect((await errorOf(client.echo({}))).rawMessage).toContain(
			"all are on holiday",
		);
		told.say(at(server));
		await until(async () => core.state === "ready");
		expect((await client.echo({})).resp).toBe("a");
	});

	test.each<[string, (server: RunningServer) => void]>([
		["that is cut", (server) => server.cut()],
		["that ends by GOAWAY", ({ sessions: [session] }) => session?.goaway(0)],
	])(
		"are asked for again on every connection loss: one %s",
		async (_, lose) => {
			const server = await named("a");
			const told = new Told(at(server));
			const { client, core } = inTime(told);
			await client.echo({});
			expect(told.refreshes).toBe(0);
			const lost = becomes(core, "connecting");
			lose(server);
			await lost;
			await settled();
			expect(told.refreshes).toBe(1);
		},
	);

	test("are asked for again on every connection loss: one of several to an endpoint", async () => {
		const held: ServerHttp2Stream[] = [];
		const server = await serveStreams((stream) => held.push(stream), {
			settings: { maxConcurrentStreams: 1 },
		});
		after.push(() => server[Symbol.asyncDispose]());
		const told = new Told(at(server));
		const { client, core } = inTime(told);
		const calls = [client.echo({}), client.echo({})];
		await until(async () => held.length === 2);
		expect(told.refreshes).toBe(0);
		held[0]?.session?.goaway(0);
		await until(async () => told.refreshes === 1);
		expect(core.state).toBe("ready");
		for (const stream of held) answer(stream);
		await Promise.all(calls);
	});

	test("switch the balancer with the service config", async () => {
		const [a, b] = [await named("a"), await named("b")];
		const config = (name: string) => ({
			...at(a, b),
			serviceConfig: { loadBalancingConfig: [{ [name]: {} }] },
		});
		const told = new Told(config("pick_first"));
		const { client } = inTime(told);
		for (let i = 0; i < 4; i++) {
			expect((await client.echo({})).resp).toBe("a");
		}
		expect(b.accepted).toBe(0);
		told.say(config("round_robin"));
		await until(async () => (await client.echo({})).resp === "b");
		told.say(config("unheard_of"));
		await settled();
		const seen = new Set<string>();
		for (let i = 0; i < 4; i++) seen.add((await client.echo({})).resp);
		expect(seen).toEqual(new Set(["a", "b"]));
	});

	test("with the same balancer config keep the balancer and its connections; another one makes a new balancer", async () => {
		const server = await named("a");
		const config = (choiceCount: number) => ({
			...at(server),
			serviceConfig: {
				loadBalancingConfig: [{ least_request: { choiceCount } }],
			},
		});
		const told = new Told(config(2));
		const { client } = inTime(told);
		await client.echo({});
		for (let i = 0; i < 3; i++) {
			told.say(config(2));
			await settled();
			await client.echo({});
		}
		expect(server.accepted).toBe(1);
		told.say(config(3));
		await settled();
		await client.echo({});
		expect(server.accepted).toBe(2);
	});

	test("prefer the endpoints of the client's own zone", async () => {
		const [a, b] = [await named("a"), await named("b")];
		const told = new Told({
			endpoints: [
				{ address: a.address, zone: "there" },
				{ address: b.address, zone: "here" },
			],
		});
		const { client } = inTime(told, { localZone: "here" });
		await until(async () => (await client.echo({})).resp === "b");
		for (let i = 0; i < 5; i++) {
			expect((await client.echo({})).resp).toBe("b");
		}
	});

	test("are balanced by hash: calls with the same key go to the same endpoint", async () => {
		const servers = [await named("a"), await named("b"), await named("c")];
		const { client, core, clock } = inTime(new Told(at(...servers)), {
			balancer: "ring_hash",
		});
		// Without a call, any of them will do.
		const connected = core.connect(undefined);
		await clock.advance(0);
		await connected;
		const places = new Set<string>();
		for (let i = 0; i < 30; i++) {
			const options = { hashKey: `user-${i}` };
			const { resp } = await client.echo({}, options);
			expect((await client.echo({}, options)).resp).toBe(resp);
			places.add(resp);
		}
		expect(places).toEqual(new Set(["a", "b", "c"]));
	});

	test("with a bad service config keep the one before, and take the endpoints", async () => {
		const [a, b] = [await named("a"), await named("b")];
		const timeouts: (string | undefined)[] = [];
		const noting = await serveStreams((stream, headers) => {
			timeouts.push(String(headers["grpc-timeout"]));
			answer(stream);
		});
		after.push(() => noting[Symbol.asyncDispose]());
		const told = new Told({
			...at(a),
			serviceConfig: { methodConfig: [{ name: [{}], timeout: "7s" }] },
		});
		const { client } = inTime(told);
		await client.echo({});
		told.say({
			...at(noting),
			serviceConfig: { methodConfig: "none" } as unknown as object,
		});
		await until(async () => {
			await client.echo({});
			return timeouts.length > 0;
		});
		expect(timeouts).toEqual(["7000000u"]);
		expect(b.accepted).toBe(0);
	});

	test("with a bad service config at first are failures", async () => {
		const server = await named("a");
		const { client } = inTime(
			new Told({
				...at(server),
				serviceConfig: { methodConfig: "none" } as unknown as object,
			}),
		);
		const error = await errorOf(client.echo({}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toContain("serviceConfig.methodConfig");
		expect(server.accepted).toBe(0);
	});
});

async function until(condition: () => Promise<boolean>): Promise<void> {
	while (!(await condition())) {
		await new Promise((resolve) => setTimeout(resolve, 1));
	}
}

describe("GOAWAY", () => {
	test.each(["round_robin", "pick_first"])(
		"with %s moves new calls to a new connection, while those in flight finish",
		async (balancer) => {
			const server = await holding();
			const { client, core } = inTime(server.address, { balancer });
			const old = client.echo({});
			await server.arrived();
			const [session] = server.sessions;
			const left = new Promise<void>((resolve) => {
				core.onStateChange((state) => {
					if (state !== "ready") resolve();
				});
			});
			session?.goaway(0);
			await left;
			const arrived = server.arrived();
			const fresh = client.echo({});
			await arrived;
			expect(server.accepted).toBe(2);
			expect(server.sessions.size).toBe(2);
			server.release();
			await old;
			server.release();
			await fresh;
		},
	);
});

describe("a balancer of one's own", () => {
	test("gets endpoints, subchannels and a say in where calls go", async () => {
		const [a, b] = [await named("a"), await named("b")];
		const states: string[] = [];
		let updates = 0;
		const echo = client(staticResolver([a.address, b.address]), {
			balancer: (helper) => {
				const made: ReturnType<BalancerHelper["createSubchannel"]>[] = [];
				return {
					update: (endpoints) => {
						updates += 1;
						const last = endpoints.at(-1) as { address: string };
						const subchannel = helper.createSubchannel(last, (state) => {
							states.push(state);
							if (state !== "ready") return;
							helper.publish("ready", {
								pick: () => ({ kind: "subchannel", subchannel }),
							});
						});
						made.push(subchannel);
						subchannel.connect();
					},
					exitIdle: () => {},
					close: () => {
						for (const subchannel of made) subchannel.shutdown();
					},
				};
			},
		});
		for (let i = 0; i < 3; i++) {
			expect((await echo.echo({})).resp).toBe("b");
		}
		expect(updates).toBe(1);
		expect(a.accepted).toBe(0);
		await echo[Symbol.asyncDispose]();
		expect(states).toEqual(["connecting", "ready", "shutdown"]);
	});

	test("that was closed publishes in vain", async () => {
		let lent: BalancerHelper | undefined;
		const { client, core } = inTime(staticResolver(["127.0.0.1:1"]), {
			idleTimeout: "1s",
			balancer: (helper) => {
				lent = helper;
				const error = new Error("mine");
				return {
					update: () =>
						helper.publish("transientFailure", {
							pick: () => ({ kind: "drop", error }),
						}),
					exitIdle: () => {},
					close: () => {},
				};
			},
		});
		await errorOf(client.echo({}));
		await core.close(0);
		lent?.publish("ready", { pick: () => ({ kind: "wait" }) });
		expect(core.state).toBe("shutdown");
	});

	test("that cannot be made, or takes no update, is a failed resolution", async () => {
		for (const balancer of [
			() => {
				throw new Error("not today");
			},
			() => ({
				update: () => {
					throw new Error("not today");
				},
				exitIdle: () => {},
				close: () => {},
			}),
		]) {
			const echo = client(staticResolver(["127.0.0.1:1"]), { balancer });
			const error = await errorOf(echo.echo({}, { timeoutMs: 2000 }));
			expect(error.rawMessage).toContain("not today");
		}
	});
});

test("a snapshot tells target, state, calls, endpoints and the last error", async () => {
	const server = await holding();
	const { client, core } = inTime(`ipv4:${server.address},127.0.0.1:1`);
	const call = client.echo({});
	await server.arrived();
	await until(async () => core.lastError !== undefined);
	expect(core.snapshot()).toEqual({
		target: `ipv4:${server.address},127.0.0.1:1`,
		state: "ready",
		callsInFlight: 1,
		callsWaiting: 0,
		callsQueued: 0,
		retryTokens: 100,
		retryBufferBytes: expect.any(Number),
		inflations: { underWay: 0, bytes: 0, waiting: 0 },
		deflations: { underWay: 0, bytes: 0, waiting: 0 },
		endpoints: [
			{
				endpoint: { address: server.address },
				state: "ready",
				ejected: false,
				connections: [{ address: server.address, openCalls: 1, hasRoom: true }],
				lastError: undefined,
				openBreakers: [],
			},
			{
				endpoint: { address: "127.0.0.1:1" },
				state: "transientFailure",
				ejected: false,
				connections: [],
				lastError: "connect ECONNREFUSED 127.0.0.1:1",
				openBreakers: [],
			},
		],
		lastError: "connect ECONNREFUSED 127.0.0.1:1",
	});
	server.release();
	await call;
});
