/** `maxConcurrentCalls` and its queue, as calls meet them. */

import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
	answering,
	busy,
	errorOf,
	fine,
	type SeenRequest,
	silent,
} from "../../../testdata/harness/attempts.ts";
import { clientInTime } from "../../../testdata/harness/client-in-time.ts";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import {
	connectedFleet,
	type FleetClient,
	type FleetOptions,
} from "../../../testdata/harness/fleet.ts";
import { answer } from "../../../testdata/harness/http2-server.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";

/** One server that holds all calls, and who of the callers has an answer. */
interface Held extends FleetClient {
	readonly answered: string[];
	/** Makes a call in somebody's name. */
	call(who: string, options?: object): Promise<void>;
	/** The n-th call that came to the server, from 1 on. */
	request(n: number): Promise<SeenRequest>;
}

async function holding(options: FleetOptions): Promise<Held> {
	const made = await connectedFleet("a", options);
	const server = made.fleet.get("a");
	server.does = silent;
	const answered: string[] = [];
	return {
		...made,
		answered,
		async call(who, options = {}) {
			const headers = { "x-who": who };
			await made.client.echo({}, { headers, ...options });
			answered.push(who);
		},
		request: (n) => server.request(n),
	};
}

const counts = ({ core }: FleetClient): unknown => {
	const { callsInFlight, callsQueued } = core.snapshot() as {
		callsInFlight: number;
		callsQueued: number;
	};
	return { callsInFlight, callsQueued };
};

const whoOf = ({ headers }: SeenRequest): unknown => headers["x-who"];

test("calls above the limit wait, and go in their order as others end", async () => {
	await using made = await holding({ maxConcurrentCalls: 2 });
	const calls = ["Ada", "Bob", "Cid", "Dee"].map((who) => made.call(who));
	await made.request(2);
	await settled();
	expect(made.fleet.seen()).toEqual({ a: 2 });
	expect(counts(made)).toEqual({ callsInFlight: 4, callsQueued: 2 });
	answer((await made.request(2)).stream);
	expect(whoOf(await made.request(3))).toBe("Cid");
	expect(made.fleet.seen()).toEqual({ a: 1 });
	answer((await made.request(1)).stream);
	expect(whoOf(await made.request(4))).toBe("Dee");
	for (const n of [3, 4]) answer((await made.request(n)).stream);
	await Promise.all(calls);
	expect(made.answered.slice(0, 2)).toEqual(["Bob", "Ada"]);
	expect(counts(made)).toEqual({ callsInFlight: 0, callsQueued: 0 });
});

test("a full queue refuses with RESOURCE_EXHAUSTED, and says what to do", async () => {
	await using made = await holding({
		maxConcurrentCalls: 1,
		maxQueuedCalls: 1,
	});
	const calls = [made.call("Ada"), made.call("Bob")];
	const error = await errorOf(made.call("Cid"));
	expect(error.code).toBe(Code.ResourceExhausted);
	expect(error.rawMessage).toBe(
		"this channel has its maxConcurrentCalls (1) in flight, and maxQueuedCalls (1) waiting; call less at once, or raise the limit",
	);
	for (const n of [1, 2]) answer((await made.request(n)).stream);
	await Promise.all(calls);
	expect(made.answered).toEqual(["Ada", "Bob"]);
});

test("the queue is as long as the limit, unless maxQueuedCalls says otherwise; 0 lets none wait", async () => {
	for (const [maxQueuedCalls, fit] of [
		[undefined, 6],
		[0, 3],
		[2, 5],
	] as const) {
		await using made = await holding({ maxConcurrentCalls: 3, maxQueuedCalls });
		const ends = Array.from({ length: 10 }, () => errorOf(made.call("Ada")));
		await made.core.close(0);
		const codes = (await Promise.all(ends)).map(({ code }) => code);
		expect(codes.filter((code) => code === Code.Canceled)).toHaveLength(fit);
		expect(
			codes.filter((code) => code === Code.ResourceExhausted),
		).toHaveLength(10 - fit);
	}
});

test("a queued call whose deadline passes leaves the queue, and says where it was", async () => {
	await using made = await holding({ maxConcurrentCalls: 1 });
	const first = made.call("Ada");
	const late = errorOf(made.call("Bob", { timeoutMs: 100 }));
	await made.request(1);
	await made.clock.advance(100);
	expect((await late).code).toBe(Code.DeadlineExceeded);
	expect((await late).rawMessage).toBe(
		"the deadline of 100 ms passed while waiting for one of the calls in flight to end (maxConcurrentCalls)",
	);
	const next = made.call("Cid");
	answer((await made.request(1)).stream);
	expect(whoOf(await made.request(2))).toBe("Cid");
	answer((await made.request(2)).stream);
	await Promise.all([first, next]);
});

test("a queued call that is cancelled leaves the queue, and is never sent", async () => {
	await using made = await holding({ maxConcurrentCalls: 1 });
	const controller = new AbortController();
	const first = made.call("Ada");
	const left = errorOf(made.call("Bob", { signal: controller.signal }));
	await made.request(1);
	expect(counts(made)).toMatchObject({ callsQueued: 1 });
	controller.abort(new Error("Bob went home"));
	expect((await left).code).toBe(Code.Canceled);
	expect((await left).rawMessage).toBe("the call was cancelled: Bob went home");
	expect(counts(made)).toEqual({ callsInFlight: 1, callsQueued: 0 });
	answer((await made.request(1)).stream);
	await first;
	await settled();
	expect(made.fleet.seen()).toEqual({ a: 1 });
});

test("time in the queue counts against the deadline that the server is told", async () => {
	await using made = await holding({ maxConcurrentCalls: 1 });
	const calls = [made.call("Ada"), made.call("Bob", { timeoutMs: 1_000 })];
	await made.request(1);
	await made.clock.advance(400);
	answer((await made.request(1)).stream);
	const { headers, stream } = await made.request(2);
	expect(headers["grpc-timeout"]).toBe("600000u");
	answer(stream);
	await Promise.all(calls);
});

test("closing the channel ends those in the queue, too, and sends none of them", async () => {
	let sent = 0;
	await using made = await holding({
		maxConcurrentCalls: 1,
		maxQueuedCalls: 2,
		hooks: { attemptStart: () => void sent++ },
	});
	const ends = ["Ada", "Bob", "Cid"].map((who) => errorOf(made.call(who)));
	await made.request(1);
	await made.core.close(0);
	for (const end of ends) {
		expect((await end).rawMessage).toBe("the channel has been closed");
	}
	expect(sent).toBe(1);
});

test("closing the channel with grace lets those in the queue go", async () => {
	await using made = await holding({ maxConcurrentCalls: 1 });
	const calls = ["Ada", "Bob"].map((who) => made.call(who));
	await made.request(1);
	const closed = made.core.close(1_000);
	expect((await errorOf(made.call("Cid"))).code).toBe(Code.Unavailable);
	for (const n of [1, 2]) answer((await made.request(n)).stream);
	await Promise.all(calls);
	await closed;
	expect(made.answered).toEqual(["Ada", "Bob"]);
});

test("a call holds one turn, however often it is tried", async () => {
	await using made = await holding({
		maxConcurrentCalls: 2,
		maxQueuedCalls: 0,
		retryPolicy: {
			maxAttempts: 3,
			initialBackoff: "1s",
			maxBackoff: "1s",
			backoffMultiplier: 1,
			retryableStatusCodes: ["UNAVAILABLE"],
		},
		hooks: { retry: () => void made.clock.advance(1_000) },
	});
	made.fleet.get("a").does = busy;
	for (let n = 0; n < 3; n++) {
		const both = [made.call("Ada"), made.call("Bob")].map(errorOf);
		for (const end of both) expect((await end).code).toBe(Code.Unavailable);
	}
	expect(made.fleet.seen()).toEqual({ a: 18 });
	made.fleet.get("a").does = fine;
	await Promise.all([made.call("Ada"), made.call("Bob")]);
});

test("hedges of a call take no turns of their own", async () => {
	await using made = await holding({
		maxConcurrentCalls: 1,
		hedgingPolicy: { maxAttempts: 3 },
	});
	const call = made.call("Ada");
	const { stream } = await made.request(3);
	expect(counts(made)).toEqual({ callsInFlight: 1, callsQueued: 0 });
	answer(stream);
	await call;
});

test("streams count from their start to their end", async () => {
	const server = await answering([silent]);
	await using made = clientInTime<OrderManagementClient>(
		OrderManagement,
		server.address,
		{ maxConcurrentCalls: 1 },
	);
	const stream = made.client.processOrders.open();
	await stream.send({ value: "101" });
	await server.request(1);
	const search = made.client.searchOrders({ value: "lamp" });
	const end = search.recv();
	await settled();
	expect(server.seen).toHaveLength(1);
	stream.cancel();
	answer((await server.request(2)).stream);
	expect(await end).toMatchObject({ id: "" });
	expect(await search.recv()).toBeUndefined();
	await server[Symbol.asyncDispose]();
});

test("a stream that waits takes messages, and sends them when its turn comes", async () => {
	const server = await answering([silent]);
	await using made = clientInTime<OrderManagementClient>(
		OrderManagement,
		server.address,
		{ maxConcurrentCalls: 1 },
	);
	const first = made.client.searchOrders({ value: "lamp" });
	await server.request(1);
	const stream = made.client.updateOrders.open();
	const sent = stream.send({ id: "101" });
	const received = stream.closeAndRecv();
	first.cancel();
	const request = await server.request(2);
	request.read();
	await request.whole;
	await sent;
	expect(request.messages).toHaveLength(1);
	answer(request.stream);
	expect((await received).value).toBe("");
	await server[Symbol.asyncDispose]();
});
