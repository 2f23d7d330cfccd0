import { describe, expect, test } from "vitest";
import { startOf } from "../../../testdata/harness/call-start.ts";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { FakeConnection } from "../../../testdata/harness/fake-connection.ts";
import { Http2Code } from "../../wire/http2-code.ts";
import type { Keepalive } from "../options/channel-options.ts";
import { KeepalivePace, KeepaliveWatch } from "./keepalive.ts";

function watching(options: Keepalive) {
	const clock = new FakeClock();
	const connection = new FakeConnection("h:1", {
		accepted: () => {},
		room: () => {},
		goaway: () => {},
		closed: () => {},
	});
	const pace = new KeepalivePace(options);
	let silentAt: number | undefined;
	const watch = new KeepaliveWatch(connection, pace, clock, () => {
		silentAt = clock.now();
	});
	return { clock, connection, pace, watch, silentAt: () => silentAt };
}

describe("keepalive", () => {
	test("sends a PING when nothing has come for its time while a call is in flight", async () => {
		const { clock, connection } = watching({ time: "30s" });
		connection.openCall();
		await clock.advance(29_999);
		expect(connection.pings).toHaveLength(0);
		await clock.advance(1);
		expect(connection.pings).toHaveLength(1);
	});

	test("sends none while anything comes", async () => {
		const { clock, connection } = watching({ time: "30s" });
		connection.openCall();
		for (let i = 0; i < 10; i++) {
			await clock.advance(29_000);
			connection.heard += 1;
		}
		expect(connection.pings).toHaveLength(0);
	});

	test("goes on after an answer, which need not be that to the PING", async () => {
		const { clock, connection, silentAt } = watching({ time: "30s" });
		connection.openCall();
		await clock.advance(30_000);
		connection.pong();
		await clock.advance(30_000);
		expect(connection.pings).toHaveLength(1);
		connection.heard += 1;
		await clock.advance(20_000 + 30_000);
		expect(connection.pings).toHaveLength(2);
		expect(silentAt()).toBeUndefined();
	});

	test("without an answer in 20 s finds the peer gone", async () => {
		const { clock, connection, silentAt } = watching({ time: "30s" });
		connection.openCall();
		await clock.advance(49_999);
		expect(silentAt()).toBeUndefined();
		await clock.advance(1);
		expect(silentAt()).toBe(50_000);
	});

	test("waits for the answer as long as the option says", async () => {
		const { clock, connection, silentAt } = watching({
			time: "30s",
			timeout: "3s",
		});
		connection.openCall();
		await clock.advance(33_000);
		expect(silentAt()).toBe(33_000);
	});

	test("sends none without a call in flight, unless it is to", async () => {
		const quiet = watching({ time: "30s" });
		await quiet.clock.advance(600_000);
		expect(quiet.connection.pings).toHaveLength(0);
		const eager = watching({ time: "30s", withoutCalls: true });
		await eager.clock.advance(30_000);
		expect(eager.connection.pings).toHaveLength(1);
	});

	test("begins with the first call on a connection that was quiet", async () => {
		const { clock, connection } = watching({ time: "30s" });
		await clock.advance(600_000);
		connection.openCall();
		await clock.advance(30_000);
		expect(connection.pings).toHaveLength(1);
	});

	test("has no use for a watch: it is no call", async () => {
		const { clock, connection } = watching({ time: "30s" });
		const nobody = (): void => {};
		connection.start(startOf({ purpose: "watch" }), {
			headers: nobody,
			message: nobody,
			end: nobody,
			writable: nobody,
		});
		await clock.advance(600_000);
		expect(connection.pings).toHaveLength(0);
	});

	test("takes a time below 10 s for 10 s (gRFC A8)", async () => {
		const { clock, connection } = watching({ time: 1 });
		connection.openCall();
		await clock.advance(9999);
		expect(connection.pings).toHaveLength(0);
		await clock.advance(1);
		expect(connection.pings).toHaveLength(1);
	});

	test("finds no peer gone that it could not ask, and asks again when it can", async () => {
		const { clock, connection, silentAt } = watching({ time: "30s" });
		connection.openCall();
		connection.sendsNoPings = true;
		await clock.advance(600_000);
		expect(silentAt()).toBeUndefined();
		connection.sendsNoPings = false;
		await clock.advance(30_000);
		expect(connection.pings).toHaveLength(1);
	});

	test("ends with its connection, and leaves no timer", async () => {
		const { clock, connection, watch, silentAt } = watching({ time: 1 });
		connection.openCall();
		await clock.advance(10_000);
		watch.stop();
		expect(clock.pending).toBe(0);
		await clock.advance(60_000);
		expect(silentAt()).toBeUndefined();
	});
});

describe("too_many_pings", () => {
	const tooMany = {
		code: Http2Code.ENHANCE_YOUR_CALM,
		debugData: "too_many_pings",
	};

	test("doubles the time, each time, for the connections that are there, too", async () => {
		const { clock, connection, pace } = watching({
			time: "30s",
			withoutCalls: true,
		});
		pace.heardGoaway(tooMany);
		expect(pace.timeMs).toBe(60_000);
		await clock.advance(30_000);
		connection.pong();
		await clock.advance(59_999);
		expect(connection.pings).toHaveLength(0);
		await clock.advance(1);
		expect(connection.pings).toHaveLength(1);
		pace.heardGoaway(tooMany);
		expect(pace.timeMs).toBe(120_000);
	});

	test("is said by nothing else", () => {
		const pace = new KeepalivePace({ time: "30s" });
		pace.heardGoaway({ ...tooMany, code: Http2Code.NO_ERROR });
		pace.heardGoaway({ ...tooMany, debugData: "max_age" });
		expect(pace.timeMs).toBe(30_000);
	});
});
