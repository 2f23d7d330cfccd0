import { expect, test } from "vitest";
import { clientInTime } from "../../../testdata/harness/client-in-time.ts";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { FakeNetwork } from "../../../testdata/harness/fake-connection.ts";
import { ToldResolver } from "../../../testdata/harness/fleet.ts";
import { reachableBytes } from "../../../testdata/harness/heap.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";

/** Connects to so many. */
async function connected(count: number) {
	const clock = new FakeClock();
	const network = new FakeNetwork();
	const endpoints = Array.from({ length: count }, (_, i) => ({
		address: `10.0.${i >> 8}.${i & 255}:1`,
	}));
	const resolver = new ToldResolver({ endpoints });
	const { core } = clientInTime<EchoServiceClient>(
		EchoService,
		resolver,
		{ balancer: "round_robin" },
		clock,
		{ connect: network.connect },
	);
	core.exitIdle();
	while (network.connections.length < count) await clock.advance(0);
	await clock.advance(100);
	return { core, network };
}

test("an endpoint in good health keeps no more than 4,000 bytes, its connection's double included", async () => {
	const warm = await connected(10);
	const before = reachableBytes();
	const { core, network } = await connected(3000);
	const each = (reachableBytes() - before) / network.connections.length;
	expect(core.state).toBe("ready");
	expect(each).toBeLessThan(4000);
	expect(each).toBeGreaterThan(500);
	await core.close(0);
	await warm.core.close(0);
});
