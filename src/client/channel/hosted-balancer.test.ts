import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { clientInTime } from "../../../testdata/harness/client-in-time.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { Balancer, BalancerFactory } from "../../balancer/balancer.ts";

const idle: Balancer = { update() {}, exitIdle() {}, close() {} };

/** What a call comes to over a balancer of one's own. */
async function errorUnder(balancer: BalancerFactory): Promise<ConnectError> {
	await using timed = clientInTime<EchoServiceClient>(
		EchoService,
		"127.0.0.1:1",
		{ balancer, retryPolicy: false },
	);
	const error = await timed.client.echo({}).catch((error: unknown) => error);
	return ConnectError.from(error);
}

describe("a balancer of one's own that is wrong is told so by the call:", () => {
	test.each([undefined, 42, {}, { ...idle, update: "soon" }])(
		"a factory that makes %j",
		async (made) => {
			const error = await errorUnder(() => made as unknown as Balancer);
			expect(error.code).toBe(Code.Unavailable);
			expect(error.rawMessage).toContain("which is no Balancer");
		},
	);

	test.each([
		["x", { pick: () => ({ kind: "wait" }) }, 'published the state "x"'],
		["ready", 42, "which is no Picker"],
	])("publishing %j, %j", async (state, picker, message) => {
		const error = await errorUnder(({ publish }) => ({
			...idle,
			update: () => publish(state as "ready", picker as never),
		}));
		expect(error.code).toBe(Code.Unavailable);
		expect(error.rawMessage).toContain(message);
	});

	test.each([undefined, 42, { kind: "maybe" }])(
		"a picker that answers %j",
		async (pick) => {
			const error = await errorUnder(({ publish }) => ({
				...idle,
				update: () => publish("ready", { pick: () => pick as never }),
			}));
			expect(error.code).toBe(Code.Internal);
			expect(error.rawMessage).toContain("which is no Pick");
		},
	);
});

test("a balancer that publishes after it was closed is not heard", async () => {
	let late: (() => void) | undefined;
	const timed = clientInTime<EchoServiceClient>(EchoService, "127.0.0.1:1", {
		balancer: ({ publish }) => ({
			...idle,
			update: () => {
				late = () =>
					publish("ready", {
						pick: () => ({ kind: "drop", error: new Error("late") }),
					});
			},
		}),
	});
	timed.core.exitIdle();
	await timed.clock.advance(0);
	await timed.core.close(0);
	late?.();
	expect(timed.core.state).toBe("shutdown");
});
