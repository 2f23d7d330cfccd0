import { once } from "node:events";
import net from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { call } from "../../../testdata/harness/client-exchange.ts";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import { FakeNetwork } from "../../../testdata/harness/fake-connection.ts";
import {
	answer,
	type RunningServer,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import {
	type ObservedSubchannel,
	observedSubchannel,
} from "../../../testdata/harness/observed-subchannel.ts";
import {
	errorCode,
	startRawServer,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";
import type { ClientConnection } from "../../wire/connection.ts";
import { connectOver, connectWithin } from "./connect.ts";
import { type Dial, dialPlaintext } from "./dial.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

interface Observed extends ObservedSubchannel {
	/** Addresses dialled, in order. */
	readonly dialled: string[];
}

/** Dials for real unless told otherwise. */
function observed(
	address: string | readonly string[],
	dial: Dial = dialPlaintext,
): Observed {
	const dialled: string[] = [];
	const watched: Dial = (to, signal) => {
		dialled.push(to.kind === "tcp" ? `${to.host}:${to.port}` : to.path);
		return dial(to, signal);
	};
	const one = observedSubchannel(address, (clock) =>
		connectWithin(5000, connectOver(watched), clock),
	);
	after.push(() => one.subchannel.shutdown());
	return { ...one, dialled };
}

async function serving(): Promise<RunningServer> {
	const server = await serveStreams((stream) => answer(stream));
	after.push(() => server[Symbol.asyncDispose]());
	return server;
}

/** A server on TCP, which does with each connection as told. */
async function listening(
	onSocket: (socket: net.Socket) => void,
): Promise<string> {
	const sockets = new Set<net.Socket>();
	const server = net.createServer((socket) => {
		sockets.add(socket);
		socket.on("error", () => {});
		onSocket(socket);
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	after.push(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

const refusing: Dial = async () => {
	throw new Error("refused");
};

describe("connecting", () => {
	test("ends when the peer's SETTINGS are there", async () => {
		const server = await serving();
		const { subchannel, heard, reaches } = observed(server.address);
		expect(subchannel.state).toBe("idle");
		expect(subchannel.connection).toBeUndefined();
		subchannel.connect();
		expect(subchannel.state).toBe("connecting");
		await reaches("ready");
		expect(heard).toEqual(["connecting", "ready"]);
		expect(subchannel.connection).toBeDefined();
	});

	test("happens once, however often it is asked for", async () => {
		const server = await serving();
		const { subchannel, dialled, reaches } = observed(server.address);
		subchannel.connect();
		subchannel.connect();
		await reaches("ready");
		subchannel.connect();
		expect(dialled).toHaveLength(1);
	});

	test("does not happen by itself", async () => {
		const { clock, dialled } = observed("127.0.0.1:1");
		await clock.advance(3_600_000);
		expect(dialled).toEqual([]);
	});

	test("to a peer that accepts and says nothing ends after 5 s, saying so", async () => {
		const address = await listening(() => {});
		const { subchannel, clock, heard, reaches } = observed(address);
		subchannel.connect();
		await clock.advance(4999);
		expect(subchannel.state).toBe("connecting");
		const failed = reaches("transientFailure");
		await clock.advance(1);
		await failed;
		expect(heard[1]).toMatch(
			new RegExp(
				`^transientFailure: connect timeout: waited 5 s for ${address} `,
			),
		);
	});

	test("that is not even accepted ends after 5 s, too", async () => {
		let given: unknown;
		const { subchannel, clock, heard, reaches } = observed(
			"192.0.2.1:50051",
			(_address, signal) =>
				new Promise((_resolve, reject) => {
					signal.addEventListener("abort", () => {
						given = signal.reason;
						reject(signal.reason);
					});
				}),
		);
		subchannel.connect();
		const failed = reaches("transientFailure");
		await clock.advance(5000);
		await failed;
		expect(heard[1]).toBe(
			"transientFailure: connect timeout: waited 5 s for 192.0.2.1:50051 to accept the connection",
		);
		expect(given).toBeInstanceOf(Error);
	});

	test("leaves no timer behind", async () => {
		const server = await serving();
		const { subchannel, clock, reaches } = observed(server.address);
		subchannel.connect();
		await reaches("ready");
		await settled();
		expect(clock.pending).toBe(0);
	});

	test.each<[string, (socket: net.Socket) => void, RegExp]>([
		[
			"hangs up",
			(socket) => socket.end(),
			/closed the connection before any HTTP\/2: it has ended, or does not speak HTTP\/2 in plaintext/,
		],
		[
			"resets",
			(socket) => socket.resetAndDestroy(),
			/closed the connection before any HTTP\/2|ECONNRESET/,
		],
		[
			"speaks HTTP/1.1",
			(socket) =>
				socket.once("data", () =>
					socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
				),
			/did not answer in HTTP\/2 .*is it an HTTP\/1\.1 server/,
		],
	])(
		"to a peer that %s fails, with what that may mean",
		async (_, onSocket, message) => {
			const address = await listening(onSocket);
			const { subchannel, heard, reaches } = observed(address);
			subchannel.connect();
			await reaches("transientFailure");
			expect(heard.at(-1)).toMatch(message);
			expect(heard.at(-1)).toContain(address);
		},
	);
});

describe("after a failure", () => {
	test("it backs off, longer each time, counted from the start of the attempt", async () => {
		const { subchannel, clock, heard } = observed("h:1", refusing);
		subchannel.connect();
		await settled();
		expect(heard).toEqual(["connecting", "transientFailure: refused"]);
		for (const backoff of [1000, 1600, 2560]) {
			subchannel.connect();
			await clock.advance(backoff - 1);
			expect(subchannel.state).toBe("transientFailure");
			await clock.advance(1);
			expect(subchannel.state).toBe("idle");
			subchannel.connect();
			await settled();
		}
	});

	test("it backs off as its channel's options say", async () => {
		const { subchannel, clock } = observedSubchannel(
			"h:1",
			() => connectOver(refusing),
			{ connectBackoff: { initialMs: 100, multiplier: 2, maxMs: 300 } },
		);
		for (const backoff of [100, 200, 300, 300]) {
			subchannel.connect();
			await clock.advance(backoff - 1);
			expect(subchannel.state).toBe("transientFailure");
			await clock.advance(1);
			expect(subchannel.state).toBe("idle");
		}
	});

	test("the time that the attempt took counts, so that a slow failure is tried again at once", async () => {
		const address = await listening(() => {});
		const { subchannel, clock, reaches } = observed(address);
		subchannel.connect();
		const failed = reaches("transientFailure");
		await clock.advance(5000);
		await failed;
		await clock.advance(0);
		expect(subchannel.state).toBe("idle");
	});

	test("a connection that got SETTINGS makes the next backoff short again", async () => {
		const server = await serving();
		let refuse = true;
		const { subchannel, clock, reaches } = observed(
			server.address,
			(address, signal) =>
				refuse ? refusing(address, signal) : dialPlaintext(address, signal),
		);
		for (const backoff of [1000, 1600]) {
			subchannel.connect();
			await clock.advance(backoff);
			await reaches("idle");
		}
		refuse = false;
		subchannel.connect();
		await reaches("ready");
		await clock.advance(10_000);
		refuse = true;
		server.cut();
		await reaches("idle");
		subchannel.connect();
		await settled();
		expect(subchannel.state).toBe("transientFailure");
		await clock.advance(1000);
		expect(subchannel.state).toBe("idle");
	});
});

describe("a connection that is lost", () => {
	test("makes it idle, and it connects anew when asked to", async () => {
		const server = await serving();
		const { subchannel, clock, heard, reaches } = observed(server.address);
		subchannel.connect();
		await reaches("ready");
		await clock.advance(5000);
		server.cut();
		await reaches("idle");
		expect(subchannel.connection).toBeUndefined();
		subchannel.connect();
		await reaches("ready");
		expect(heard).toEqual([
			"connecting",
			"ready",
			"idle",
			"connecting",
			"ready",
		]);
	});

	test("by GOAWAY lets new calls go elsewhere at once, and its own finish", async () => {
		let finishFirst = (): void => {};
		const arrived = Promise.withResolvers<void>();
		const server = await serveStreams((stream) => {
			finishFirst = () => answer(stream);
			arrived.resolve();
		});
		after.push(() => server[Symbol.asyncDispose]());
		const { subchannel, clock, reaches } = observed(server.address);
		const accepted = server.connection();
		subchannel.connect();
		await reaches("ready");
		await clock.advance(5000);
		const ended = firstCall(subchannel.connection as ClientConnection);
		await arrived.promise;
		(await accepted).goaway(errorCode.NO_ERROR);
		await reaches("idle");
		subchannel.connect();
		await reaches("ready");
		expect(server.accepted).toBe(2);
		finishFirst();
		expect(await ended).toEqual(["grpc-status", "0"]);
	});

	test("at the very moment when it is ready is lost all the same", async () => {
		let connections = 0;
		const server = await startRawServer({
			onConnection: (connection) => {
				if (++connections > 1) return;
				connection.goAway(0, errorCode.NO_ERROR);
				connection.end();
			},
		});
		after.push(() => server.stop());
		const { subchannel, heard, reaches } = observed(server.address);
		subchannel.connect();
		await reaches("ready");
		await reaches("idle");
		subchannel.connect();
		await reaches("ready");
		expect(heard).toEqual([
			"connecting",
			"ready",
			"idle",
			"connecting",
			"ready",
		]);
	});

	test("before it could be handed over is lost all the same", async () => {
		const network = new FakeNetwork();
		const { subchannel, clock, heard } = observedSubchannel(
			"h:1",
			() => async (address, listener, signal) => {
				const connection = await network.connect(address, listener, signal);
				listener.goaway({ code: 0, debugData: "" });
				return connection;
			},
		);
		subchannel.connect();
		await clock.advance(0);
		expect(heard).toEqual(["connecting", "ready", "idle"]);
	});

	test("again and again as soon as it is made is a failure, with a backoff that grows", async () => {
		let connections = 0;
		const server = await startRawServer({
			onConnection: (connection) => {
				connections += 1;
				connection.end();
			},
		});
		after.push(() => server.stop());
		const { subchannel, clock, heard, reaches } = observed(server.address);
		subchannel.connect();
		await reaches("idle");
		subchannel.connect();
		await reaches("transientFailure");
		expect(connections).toBe(2);
		expect(heard.at(-1)).toBe(
			`transientFailure: ${server.address} closes its connections before they have served`,
		);
		for (const backoff of [1000, 1600, 2560]) {
			await clock.advance(backoff - 1);
			expect(subchannel.state).toBe("transientFailure");
			await clock.advance(1);
			subchannel.connect();
			await reaches("transientFailure");
		}
		expect(connections).toBe(5);
	});

	test("once early and then late is no reason to wait", async () => {
		const server = await serving();
		const { subchannel, clock, heard, reaches } = observed(server.address);
		for (const age of [0, 1000, 0, 1000]) {
			subchannel.connect();
			await reaches("ready");
			await clock.advance(age);
			server.cut();
			await reaches("idle");
		}
		expect(heard.some((state) => state.startsWith("transient"))).toBe(false);
	});
});

/** Makes a call; resolves with its trailers. */
async function firstCall(
	connection: ClientConnection,
): Promise<readonly string[] | undefined> {
	return (await call(connection)).trailers;
}

describe("several addresses", () => {
	test("are tried one after the other, the next 250 ms after the one before", async () => {
		const server = await serving();
		const silent = await listening(() => {});
		const { subchannel, clock, dialled, reaches } = observed([
			silent,
			server.address,
		]);
		expect(subchannel.name).toBe(`${silent} or ${server.address}`);
		subchannel.connect();
		await clock.advance(249);
		expect(dialled).toEqual([silent]);
		await clock.advance(1);
		await reaches("ready");
		expect(dialled).toEqual([silent, server.address]);
	});

	test("are tried at once where the one before has failed", async () => {
		const server = await serving();
		const { subchannel, dialled, reaches } = observed([
			"127.0.0.1:1",
			server.address,
		]);
		subchannel.connect();
		await reaches("ready");
		expect(dialled).toEqual(["127.0.0.1:1", server.address]);
	});

	test("that all fail are all named", async () => {
		const { subchannel, heard, reaches } = observed([
			"127.0.0.1:1",
			"127.0.0.2:1",
		]);
		subchannel.connect();
		await reaches("transientFailure");
		expect(heard.at(-1)).toBe(
			"transientFailure: connect ECONNREFUSED 127.0.0.1:1; connect ECONNREFUSED 127.0.0.2:1",
		);
	});
});

describe("ejection", () => {
	const sick = new Error("5 failures in a row");
	const shown = "transientFailure: 5 failures in a row";

	async function connected() {
		const network = new FakeNetwork();
		const one = observedSubchannel("h:1", () => network.connect);
		one.subchannel.connect();
		await one.reaches("ready");
		await one.clock.advance(60_000);
		return { ...one, network };
	}

	test("of one that is connected shows as a failure, for that reason; its connection and its calls go on", async () => {
		const { subchannel, clock, heard, network } = await connected();
		const call = network.at(0).openCall();
		subchannel.eject(sick);
		expect(heard).toEqual(["connecting", "ready", shown]);
		expect(subchannel.state).toBe("transientFailure");
		expect(subchannel.connection).toBeUndefined();
		await clock.advance(600_000);
		expect(call.isCancelled).toBe(false);
		expect(network.at(0).isGone).toBe(false);
	});

	test("is no reason to back off or to connect", async () => {
		const { subchannel, clock, heard, network } = await connected();
		subchannel.eject(sick);
		subchannel.connect();
		await clock.advance(600_000);
		expect(network.asked).toHaveLength(1);
		expect(heard).toHaveLength(3);
		expect(clock.pending).toBe(0);
	});

	test("can be told from a lost connection", async () => {
		const { subchannel, network } = await connected();
		subchannel.eject(sick);
		expect(subchannel.isConnected).toBe(true);
		network.at(0).goaway();
		expect(subchannel.isConnected).toBe(false);
	});

	test("is over when it is taken back: the connection is ready as it was", async () => {
		const { subchannel, heard, network } = await connected();
		subchannel.eject(sick);
		subchannel.uneject();
		expect(heard).toEqual(["connecting", "ready", shown, "ready"]);
		expect(subchannel.connection).toBe(network.at(0));
		subchannel.uneject();
		expect(heard).toHaveLength(4);
	});

	test("outlasts the connection: a new one is as ejected", async () => {
		const { subchannel, clock, heard, network } = await connected();
		subchannel.eject(sick);
		network.at(0).goaway();
		subchannel.connect();
		await clock.advance(0);
		expect(heard.slice(3)).toEqual(["idle", "connecting", shown]);
		subchannel.uneject();
		expect(heard.at(-1)).toBe("ready");
	});

	test("of one that is not connected shows once it is", async () => {
		const network = new FakeNetwork();
		const { subchannel, clock, heard } = observedSubchannel(
			"h:1",
			() => network.connect,
		);
		subchannel.eject(sick);
		expect(heard).toEqual([]);
		subchannel.connect();
		await clock.advance(0);
		expect(heard).toEqual(["connecting", shown]);
	});
});

describe("shutdown", () => {
	test("while connecting gives the attempt up, silently", async () => {
		const hungUp = Promise.withResolvers<void>();
		const address = await listening((socket) => {
			socket.resume().on("close", () => hungUp.resolve());
		});
		const { subchannel, clock, heard } = observed(address);
		subchannel.connect();
		await new Promise((resolve) => setTimeout(resolve, 20));
		subchannel.shutdown();
		await hungUp.promise;
		await settled();
		expect(heard).toEqual(["connecting", "shutdown"]);
		expect(clock.pending).toBe(0);
	});

	test("during a backoff leaves no timer", async () => {
		const { subchannel, clock, heard } = observed("h:1", refusing);
		subchannel.connect();
		await settled();
		subchannel.shutdown();
		expect(clock.pending).toBe(0);
		expect(heard.at(-1)).toBe("shutdown");
	});

	test("when ready closes the connection once its calls are done", async () => {
		let finishFirst = (): void => {};
		const arrived = Promise.withResolvers<void>();
		const server = await serveStreams((stream) => {
			finishFirst = () => answer(stream);
			arrived.resolve();
		});
		after.push(() => server[Symbol.asyncDispose]());
		const { subchannel, heard, reaches } = observed(server.address);
		subchannel.connect();
		await reaches("ready");
		const ended = firstCall(subchannel.connection as ClientConnection);
		await arrived.promise;
		subchannel.shutdown();
		subchannel.shutdown();
		expect(subchannel.connection).toBeUndefined();
		expect(server.sessions.size).toBe(1);
		const [session] = server.sessions;
		const closed = once(session as NonNullable<typeof session>, "close");
		finishFirst();
		expect(await ended).toEqual(["grpc-status", "0"]);
		await closed;
		expect(heard).toEqual(["connecting", "ready", "shutdown"]);
	});

	test("is for good", async () => {
		const { subchannel, dialled } = observed("h:1", refusing);
		subchannel.shutdown();
		subchannel.connect();
		await settled();
		expect(dialled).toEqual([]);
		expect(subchannel.state).toBe("shutdown");
	});
});
