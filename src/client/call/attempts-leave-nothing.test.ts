/** What is left of calls that were retried, hedged and cancelled: nothing. */

import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import {
	type Answer,
	type AttemptingClient,
	answering,
	attempting,
	busy,
	errorOf,
	retryPolicy,
	wholly,
} from "../../../testdata/harness/attempts.ts";
import { answer } from "../../../testdata/harness/http2-server.ts";
import { seeded } from "../../../testdata/harness/seeded.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import type { CallOptions } from "../options/call-options.ts";

const CALLS = 1_000;

/** Now fine, now busy, refused or silent. */
function moody(seed: number): Answer {
	const random = seeded(seed);
	const moods: Answer[] = [
		wholly(({ stream }) => answer(stream)),
		wholly(busy),
		busy,
		({ stream }) => stream.close(7),
		() => {},
	];
	return (request) => moods[Math.floor(random() * moods.length)]?.(request);
}

/** Moves time on until all are over. */
async function over(
	watched: AttemptingClient<unknown>,
	calls: readonly Promise<unknown>[],
): Promise<void> {
	let left = calls.length;
	for (const call of calls) void call.then(() => left--);
	while (left > 0) {
		await new Promise((resolve) => setTimeout(resolve, 1));
		await watched.clock.advance(50);
	}
}

interface Left {
	readonly timers: number;
	readonly keptBytes: number;
	readonly calls: number;
	readonly waiting: number;
	readonly listeners: number;
}

describe(`of ${CALLS} calls`, () => {
	const kinds: Record<string, CallOptions> = {
		"that were retried": { retryPolicy: { ...retryPolicy, maxAttempts: 4 } },
		"that were hedged": {
			hedgingPolicy: {
				maxAttempts: 3,
				hedgingDelay: "0.1s",
				nonFatalStatusCodes: ["UNAVAILABLE"],
			},
		},
	};

	test.each(Object.entries(kinds))("%s", async (_kind, options) => {
		await using server = await answering([moody(1)]);
		await using watched = attempting<OrderManagementClient>(
			OrderManagement,
			server.address,
			{
				serviceConfig: { retryThrottling: { maxTokens: 1000, tokenRatio: 1 } },
			},
			{ impatient: true },
		);
		const { client, clock, core } = watched;
		const random = seeded(2);
		const cancel = new AbortController();
		const { signal } = cancel;
		await core.connect(undefined);
		const idle = clock.pending;
		const calls: Promise<unknown>[] = [];
		for (let n = 0; n < CALLS; n++) {
			const own: CallOptions = {
				...options,
				timeoutMs: 5_000,
				...(n % 3 === 0 && { signal }),
			};
			const value = "x".repeat(Math.floor(random() * 50));
			const call =
				n % 2 === 0
					? client.getOrder({ value }, own)
					: client.updateOrders([{ id: value }, { id: value }], own);
			calls.push(call.catch(() => {}));
			if (n % 10 === 0) await clock.advance(1);
		}
		await clock.advance(100);
		// Those that have the signal are wherever they are: in flight, in a backoff, between hedges.
		cancel.abort();
		await over(watched, calls);

		expect(watched.decisions.length).toBeGreaterThan(0);
		const left = (): Left => {
			const { retryBufferBytes, callsInFlight, callsWaiting } =
				core.snapshot() as Record<string, number>;
			return {
				timers: clock.pending - idle,
				keptBytes: retryBufferBytes as number,
				calls: callsInFlight as number,
				waiting: callsWaiting as number,
				listeners: getEventListeners(signal, "abort").length,
			};
		};
		expect(left()).toEqual({
			timers: 0,
			keptBytes: 0,
			calls: 0,
			waiting: 0,
			listeners: 0,
		});
		const starts = watched.starts.length;
		await clock.advance(60_000);
		expect(watched.starts).toHaveLength(starts);
		expect(watched.ends).toHaveLength(starts);
		// The server's streams are all closed: answered, or reset.
		await Promise.all(
			server.seen.map(
				({ stream }) =>
					stream.closed ||
					new Promise((resolve) => stream.once("close", resolve)),
			),
		);
	});

	test("that were cancelled in their backoff", async () => {
		await using server = await answering([busy]);
		await using watched = attempting<OrderManagementClient>(
			OrderManagement,
			server.address,
			{
				retryPolicy,
				serviceConfig: { retryThrottling: { maxTokens: 1000, tokenRatio: 1 } },
			},
			{ impatient: true },
		);
		const { client, clock, core } = watched;
		await core.connect(undefined);
		const idle = clock.pending;
		const cancel = new AbortController();
		const { signal } = cancel;
		// The throttle closes after half of its tokens.
		const calls = Array.from({ length: 499 }, () =>
			errorOf(client.getOrder({ value: "x" }, { signal })),
		);
		await watched.until(() => watched.decisions.length === calls.length);
		// A backoff each, and one timer for all deadlines.
		expect(clock.pending).toBe(idle + calls.length + 1);
		cancel.abort();
		await Promise.all(calls);
		expect(clock.pending).toBe(idle);
		expect(getEventListeners(signal, "abort")).toEqual([]);
		expect(core.snapshot()).toMatchObject({
			retryBufferBytes: 0,
			callsInFlight: 0,
		});
		await clock.advance(60_000);
		expect(watched.starts).toHaveLength(calls.length);
	});
});
