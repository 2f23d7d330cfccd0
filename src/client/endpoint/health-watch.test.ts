import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
	type FakeCall,
	type FakeConnection,
	FakeNetwork,
} from "../../../testdata/harness/fake-connection.ts";
import {
	answer,
	frame,
	respond,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { observedSubchannel } from "../../../testdata/harness/observed-subchannel.ts";
import {
	HealthCheckRequestSchema,
	HealthCheckResponseSchema,
	HealthCheckResponse_ServingStatus as Status,
} from "../../server/gen/grpc/health/v1/health_pb.ts";
import { headerOf } from "../../wire/headers.ts";
import { connectOver } from "./connect.ts";
import { dialPlaintext } from "./dial.ts";
import type { SubchannelSetting } from "./subchannel.ts";

const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;

function says(status: Status): Uint8Array {
	const response = create(HealthCheckResponseSchema, { status });
	return toBinary(HealthCheckResponseSchema, response);
}

/** A connected subchannel, and the watch that its server has got. */
async function watched(
	service: string | undefined = "shop.Cart",
	setting: Partial<SubchannelSetting> = {},
) {
	const network = new FakeNetwork();
	const one = observedSubchannel(
		"h:1",
		() => network.connect,
		setting,
		service,
	);
	one.subchannel.connect();
	await one.clock.advance(0);
	const watches = (): FakeCall[] => [...network.at(-1).streams];
	return {
		...one,
		network,
		watches,
		/** The watch that is open. */
		watch(): FakeCall {
			expect(watches()).toHaveLength(1);
			return watches()[0] as FakeCall;
		},
	};
}

describe("a subchannel whose health is watched (gRFC A17)", () => {
	test("asks grpc.health.v1.Health/Watch for the service, on a stream that is no call", async () => {
		const { network, watch } = await watched();
		const { headers, purpose, sent } = watch();
		expect(headerOf(headers, ":path")).toBe("/grpc.health.v1.Health/Watch");
		expect(headerOf(headers, ":authority")).toBe("here.example");
		expect(headerOf(headers, "grpc-timeout")).toBeUndefined();
		expect(purpose).toBe("watch");
		expect(network.at(0).openCalls).toBe(0);
		const [request] = sent as [Uint8Array];
		expect(fromBinary(HealthCheckRequestSchema, request).service).toBe(
			"shop.Cart",
		);
	});

	test("is connecting until the first answer, and ready with SERVING", async () => {
		const { subchannel, clock, heard, watch } = await watched();
		await clock.advance(60_000);
		expect(subchannel.state).toBe("connecting");
		expect(subchannel.isConnected).toBe(true);
		expect(subchannel.connection).toBeUndefined();
		watch().answer(says(Status.SERVING));
		expect(subchannel.connection).toBeDefined();
		expect(heard).toEqual(["connecting", "ready"]);
	});

	test.each([
		[Status.NOT_SERVING, "NOT_SERVING"],
		[Status.SERVICE_UNKNOWN, "SERVICE_UNKNOWN"],
		[Status.UNKNOWN, "UNKNOWN"],
		[77 as Status, "77"],
	])(
		"is in failure with status %s, and stays connected",
		async (status, name) => {
			const { subchannel, clock, heard, network, watch } = await watched();
			watch().answer(says(status));
			expect(heard.at(-1)).toBe(
				`transientFailure: h:1 is not healthy of shop.Cart: it says ${name}`,
			);
			subchannel.connect();
			await clock.advance(600_000);
			expect(subchannel.state).toBe("transientFailure");
			expect(network.connections).toHaveLength(1);
			expect(subchannel.isConnected).toBe(true);
		},
	);

	test("goes from failure to ready and back as its server says", async () => {
		const { heard, watch } = await watched("");
		watch().answer(says(Status.NOT_SERVING), says(Status.SERVING));
		watch().listener.message(says(Status.SERVING));
		watch().listener.message(says(Status.NOT_SERVING));
		expect(heard).toEqual([
			"connecting",
			"transientFailure: h:1 is not healthy: it says NOT_SERVING",
			"ready",
			"transientFailure: h:1 is not healthy: it says NOT_SERVING",
		]);
	});

	test("is healthy where the server has no such service, and asks no more", async () => {
		const { subchannel, clock, watch, watches } = await watched();
		watch().finish(UNIMPLEMENTED);
		expect(subchannel.state).toBe("ready");
		await clock.advance(600_000);
		expect(watches()).toHaveLength(0);
		expect(clock.pending).toBe(0);
	});

	test("sends the channel's credentials with the watch", async () => {
		const { watch } = await watched("shop.Cart", {
			credentials: async ({ service, method }) => ({
				authorization: `for ${service}/${method}`,
			}),
		});
		expect(headerOf(watch().headers, "authorization")).toBe(
			"for grpc.health.v1.Health/Watch",
		);
	});

	test("without credentials for the watch is in failure, and tries again", async () => {
		let attempts = 0;
		const { clock, heard, watches } = await watched("shop.Cart", {
			credentials: () => {
				if (++attempts === 1) throw new Error("no token");
				return {};
			},
		});
		expect(heard.at(-1)).toBe(
			"transientFailure: h:1 is not healthy of shop.Cart: it cannot be asked: no credentials: no token",
		);
		await clock.advance(1000);
		expect(watches()).toHaveLength(1);
	});

	test("is not asked for anything without a service name", async () => {
		const network = new FakeNetwork();
		const { subchannel, reaches } = observedSubchannel(
			"h:1",
			() => network.connect,
		);
		subchannel.connect();
		await reaches("ready");
		expect(network.at(0).streams.size).toBe(0);
	});
});

describe("a watch that breaks", () => {
	test("is a failure, and is opened again after a backoff that grows, connecting meanwhile", async () => {
		const { clock, heard, watch, watches } = await watched();
		for (const backoff of [1000, 1600, 2560]) {
			watch().finish(UNAVAILABLE, "overloaded");
			expect(heard.at(-1)).toBe(
				"transientFailure: h:1 is not healthy of shop.Cart: it cannot be asked: overloaded",
			);
			await clock.advance(backoff - 1);
			expect(watches()).toHaveLength(0);
			await clock.advance(1);
			expect(heard.at(-1)).toBe("connecting");
		}
		watch().answer(says(Status.SERVING));
		expect(heard.at(-1)).toBe("ready");
	});

	test("that was answered and has lasted is opened again at once, however long the backoff had grown", async () => {
		const { clock, heard, watch } = await watched();
		for (const backoff of [1000, 1600, 2560]) {
			watch().finish(UNAVAILABLE);
			await clock.advance(backoff);
		}
		watch().answer(says(Status.SERVING));
		await clock.advance(2000);
		watch().finish(0);
		await clock.advance(0);
		expect(heard.slice(-3)).toEqual([
			"ready",
			"transientFailure: h:1 is not healthy of shop.Cart: it cannot be asked: the watch ended with status 0",
			"connecting",
		]);
		watch().answer(says(Status.SERVING));
		expect(heard.at(-1)).toBe("ready");
	});

	test("again and again as soon as it is answered is opened once a second", async () => {
		const { clock, watch, watches } = await watched();
		for (let i = 0; i < 5; i++) {
			watch().answer(says(Status.SERVING));
			watch().finish(0);
			await clock.advance(999);
			expect(watches()).toHaveLength(0);
			await clock.advance(1);
		}
	});

	test("as its answers cannot be read is a failure, too", async () => {
		const { heard, watch } = await watched();
		const broken = watch();
		broken.answer(Buffer.of(0x08));
		expect(broken.isCancelled).toBe(true);
		expect(heard.at(-1)).toMatch(/^transientFailure: .*cannot be asked: /);
	});
});

describe("the watch ends", () => {
	function expectCancelled(connection: FakeConnection, watch: FakeCall) {
		expect(watch.isCancelled).toBe(true);
		expect(connection.streams.size).toBe(0);
	}

	test("with a GOAWAY, so that the connection can close, and begins anew on the next one", async () => {
		const { subchannel, clock, heard, network, watch } = await watched();
		const first = watch();
		first.answer(says(Status.SERVING));
		await clock.advance(60_000);
		network.at(0).goaway();
		expectCancelled(network.at(0), first);
		subchannel.connect();
		await clock.advance(0);
		expect(network.connections).toHaveLength(2);
		expect(heard).toEqual(["connecting", "ready", "idle", "connecting"]);
		watch().answer(says(Status.SERVING));
		expect(heard.at(-1)).toBe("ready");
	});

	test("with its subchannel, between two tries as well", async () => {
		const one = await watched();
		const watch = one.watch();
		one.subchannel.shutdown();
		expectCancelled(one.network.at(0), watch);
		const other = await watched();
		other.watch().finish(UNAVAILABLE);
		other.subchannel.shutdown();
		await other.clock.advance(0);
		expect(other.clock.pending).toBe(0);
		expect(other.heard.at(-1)).toBe("shutdown");
	});

	test("when credentials come too late for it, too", async () => {
		const credentials = Promise.withResolvers<HeadersInit>();
		const { subchannel, clock, network } = await watched("x", {
			credentials: () => credentials.promise,
		});
		subchannel.shutdown();
		credentials.resolve({});
		await clock.advance(0);
		expect(network.at(0).streams.size).toBe(0);
	});

	test("and goes on elsewhere, without a stop, when its connection is one of several that is lost", async () => {
		const { subchannel, clock, heard, network, watch } = await watched();
		watch().answer(says(Status.SERVING));
		await clock.advance(60_000);
		network.at(0).maxStreams = 1;
		expect(subchannel.connection).toBeUndefined();
		await clock.advance(0);
		expect(network.at(1).streams.size).toBe(0);
		network.at(0).goaway();
		expect(watch().purpose).toBe("watch");
		expect(subchannel.connection).toBe(network.at(1));
		expect(heard).toEqual(["connecting", "ready"]);
	});
});

describe("the name of the service", () => {
	test("can change: the new one is asked for instead, and heard before anything is said", async () => {
		const { subchannel, heard, network, watch } = await watched();
		const first = watch();
		first.answer(says(Status.NOT_SERVING));
		subchannel.healthService = "shop.Till";
		expect(first.isCancelled).toBe(true);
		expect(heard.at(-1)).toBe("connecting");
		expect(network.at(0).streams.size).toBe(1);
		watch().answer(says(Status.SERVING));
		expect(heard.at(-1)).toBe("ready");
		const again = watch();
		subchannel.healthService = "shop.Till";
		expect(watch()).toBe(again);
	});

	test("can go: what is connected is ready", async () => {
		const { subchannel, heard, watches, watch } = await watched();
		watch().answer(says(Status.NOT_SERVING));
		subchannel.healthService = undefined;
		expect(watches()).toHaveLength(0);
		expect(heard.at(-1)).toBe("ready");
	});

	test("can come before there is a connection", async () => {
		const network = new FakeNetwork();
		const { subchannel, clock } = observedSubchannel(
			"h:1",
			() => network.connect,
		);
		subchannel.healthService = "late";
		subchannel.connect();
		await clock.advance(0);
		expect(subchannel.state).toBe("connecting");
		expect(network.at(0).streams.size).toBe(1);
		expect(subchannel.state).toBe("connecting");
	});
});

test("over a real connection, the watch hears its server and does not keep the connection", async () => {
	const arrived = Promise.withResolvers<() => void>();
	await using server = await serveStreams((stream, headers) => {
		if (headers[":path"] !== "/grpc.health.v1.Health/Watch") {
			answer(stream);
			return;
		}
		respond(stream);
		stream.write(frame(says(Status.SERVING)));
		arrived.resolve(() => stream.write(frame(says(Status.NOT_SERVING))));
	});
	const { subchannel, reaches } = observedSubchannel(
		server.address,
		() => connectOver(dialPlaintext),
		{},
		"",
	);
	subchannel.connect();
	await reaches("ready");
	(await arrived.promise)();
	await reaches("transientFailure");
	subchannel.shutdown();
	while (server.sessions.size > 0) {
		await new Promise((resolve) => setTimeout(resolve, 1));
	}
});
