import { describe, expect, test } from "vitest";
import {
	call,
	exchange,
	type Outcome,
} from "../../../testdata/harness/client-exchange.ts";
import { FakeNetwork } from "../../../testdata/harness/fake-connection.ts";
import { tapFrames } from "../../../testdata/harness/frame-tap.ts";
import { serveStreams } from "../../../testdata/harness/http2-server.ts";
import { observedSubchannel } from "../../../testdata/harness/observed-subchannel.ts";
import {
	errorCode,
	type RawStream,
	startRawServer,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";
import { Http2Code } from "../../wire/http2-code.ts";
import { connectOver } from "./connect.ts";
import { dialPlaintext } from "./dial.ts";
import { KeepalivePace } from "./keepalive.ts";
import type { SubchannelSetting } from "./subchannel.ts";

const SILENT =
	"no answer to a PING in 1 s: the peer is stopped, or cut off" as const;

const OK = [
	[":status", "200"],
	["content-type", "application/grpc"],
	["grpc-status", "0"],
] as const;

async function connected(setting?: Partial<SubchannelSetting>) {
	const network = new FakeNetwork();
	const one = observedSubchannel("h:1", () => network.connect, setting);
	one.subchannel.connect();
	await one.reaches("ready");
	await one.clock.advance(60_000);
	return { ...one, network, connection: network.at(0) };
}

describe("a connection in doubt", () => {
	test("ends, with its calls, when its peer does not answer a PING in 1 s, and new calls go to a new one", async () => {
		const { subchannel, clock, heard, network, connection } = await connected();
		subchannel.doubt(connection);
		expect(connection.pings).toHaveLength(1);
		await clock.advance(999);
		expect(subchannel.connection).toBe(connection);
		await clock.advance(1);
		expect(subchannel.connection).toBeUndefined();
		expect(heard.at(-1)).toBe(`idle: ${SILENT}`);
		expect(connection.lossOf?.message).toBe(SILENT);
		subchannel.connect();
		await clock.advance(0);
		expect(subchannel.connection).toBe(network.at(1));
	});

	test("goes on when its peer answers", async () => {
		const { subchannel, clock, heard, connection } = await connected();
		subchannel.doubt(connection);
		await clock.advance(999);
		connection.pong();
		await clock.advance(60_000);
		expect(subchannel.connection).toBe(connection);
		expect(heard).toEqual(["connecting", "ready"]);
		expect(clock.pending).toBe(0);
	});

	test("is asked once, however many calls doubt it", async () => {
		const { subchannel, clock, connection } = await connected();
		subchannel.doubt(connection);
		await clock.advance(500);
		subchannel.doubt(connection);
		expect(connection.pings).toHaveLength(1);
		await clock.advance(500);
		expect(connection.isGone).toBe(true);
	});

	test("is asked on its way out, too: calls are left on it", async () => {
		const { subchannel, clock, connection } = await connected();
		connection.openCall();
		connection.goaway();
		expect(subchannel.state).toBe("idle");
		subchannel.doubt(connection);
		await clock.advance(1000);
		expect(connection.lossOf?.message).toBe(SILENT);
		expect(subchannel.state).toBe("idle");
	});

	test.each<[string, Partial<SubchannelSetting>]>([
		["silence", { silenceMs: 1000 }],
		["keepalive", { keepalive: new KeepalivePace({ time: "10s" }) }],
		["a deadline that passed", {}],
	])(
		"that is on its way out, over node:http2, lets its calls be as quiet as they like: %s is no sign",
		async (cause, setting) => {
			const requests: RawStream[] = [];
			const server = await startRawServer({
				onRequest: (stream) => requests.push(stream),
			});
			const { subchannel, clock, reaches } = observedSubchannel(
				server.address,
				() => connectOver(dialPlaintext),
				setting,
			);
			try {
				subchannel.connect();
				await reaches("ready");
				const { connection } = subchannel;
				if (connection === undefined) throw new Error("not connected");
				const inFlight = call(connection);
				while (requests.length === 0) {
					await new Promise((resolve) => setTimeout(resolve, 1));
				}
				const [request] = requests as [RawStream];
				request.connection.goAway(2 ** 31 - 1, errorCode.NO_ERROR);
				await reaches("idle");
				if (cause === "a deadline that passed") subchannel.doubt(connection);
				for (let second = 0; second < 120; second++) await clock.advance(1000);
				request.headers(OK, true);
				const { end, trailers } = await inFlight;
				expect(end?.local).toBe(false);
				expect(trailers?.slice(-2)).toEqual(["grpc-status", "0"]);
				expect(requests).toHaveLength(1);
			} finally {
				subchannel.shutdown();
				await server.stop();
			}
		},
	);

	test("that is gone is asked nothing", async () => {
		const { subchannel, clock, heard, connection } = await connected();
		subchannel.doubt(connection);
		connection.destroy();
		await clock.advance(0);
		expect(heard).toEqual(["connecting", "ready", "idle"]);
		expect(clock.pending).toBe(0);
	});

	test("over a network that swallows everything ends its calls with what happened", async () => {
		await using server = await serveStreams(() => {});
		await using tap = await tapFrames(server.port);
		const { subchannel, clock, reaches } = observedSubchannel(tap.address, () =>
			connectOver(dialPlaintext),
		);
		subchannel.connect();
		await reaches("ready");
		await clock.advance(60_000);
		const { connection } = subchannel;
		if (connection === undefined) throw new Error("not connected");
		const { call, outcome } = exchange(connection);
		call.end();
		tap.freeze();
		subchannel.doubt(connection);
		await clock.advance(1000);
		expect(subchannel.state).toBe("idle");
		const { end }: Outcome = await outcome;
		expect(end?.cause?.message).toBe(SILENT);
		expect(end?.progress).toBe("processed");
	});

	test("of a peer that lives is cleared by its answer over a real network", async () => {
		await using server = await serveStreams(() => {});
		await using tap = await tapFrames(server.port);
		const { subchannel, clock, reaches } = observedSubchannel(tap.address, () =>
			connectOver(dialPlaintext),
		);
		subchannel.connect();
		await reaches("ready");
		const { connection } = subchannel;
		if (connection === undefined) throw new Error("not connected");
		subchannel.doubt(connection);
		await tap.until(({ type }) => type === "PING");
		while (clock.pending > 0) {
			await new Promise((resolve) => setTimeout(resolve, 1));
		}
		await clock.advance(60_000);
		expect(subchannel.connection).toBe(connection);
		subchannel.shutdown();
	});
});

describe("keepalive", () => {
	test("ends a connection whose peer does not answer, and says so", async () => {
		const { subchannel, clock, heard, connection } = await connected({
			keepalive: new KeepalivePace({ time: "60s", withoutCalls: true }),
		});
		expect(connection.pings).toHaveLength(1);
		await clock.advance(20_000);
		expect(heard.at(-1)).toBe(
			"idle: no answer to a PING in 20 s: the peer is stopped, or cut off",
		);
		expect(subchannel.connection).toBeUndefined();
		expect(clock.pending).toBe(0);
	});

	test("watches a connection that takes no new calls until its own are done", async () => {
		const { subchannel, clock, connection } = await connected({
			keepalive: new KeepalivePace({ time: "50s" }),
		});
		const call = connection.openCall();
		subchannel.shutdown();
		await clock.advance(50_000);
		expect(connection.pings).toHaveLength(1);
		connection.pong();
		expect(clock.pending).toBe(1);
		call.finish();
		await clock.advance(0);
		expect(connection.isGone).toBe(true);
		expect(clock.pending).toBe(0);
	});

	test("is sent half as often by all subchannels of a channel once one server has said too_many_pings", async () => {
		const keepalive = new KeepalivePace({ time: "10s" });
		const one = await connected({ keepalive });
		const other = await connected({ keepalive });
		one.connection.goaway(Http2Code.ENHANCE_YOUR_CALM, "too_many_pings");
		other.connection.heard += 1;
		other.connection.openCall();
		await other.clock.advance(10_000);
		await other.clock.advance(19_999);
		expect(other.connection.pings).toHaveLength(0);
		await other.clock.advance(1);
		expect(other.connection.pings).toHaveLength(1);
	});

	test("is off unless it is asked for", async () => {
		const { clock, connection } = await connected();
		connection.openCall();
		expect(clock.pending).toBe(0);
	});
});
