/** What was written is kept until the call is committed, and replayed to the next attempt (gRFC A6, "Memory Management"). */

import { afterEach, describe, expect, test } from "vitest";
import {
	type Answer,
	type Attempting,
	type AttemptingClient,
	answering,
	attempting,
	busy,
	errorOf,
	fine,
	retryPolicy,
	type ScriptedServer,
	type SeenRequest,
	wholly,
} from "../../../testdata/harness/attempts.ts";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import {
	answer,
	finish,
	frame,
	refuse,
	respond,
} from "../../../testdata/harness/http2-server.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { OrderManagementClient } from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import type { ClientOptions } from "../options/client-options.ts";

const after: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

async function ordering(
	answers: readonly Answer[],
	options: ClientOptions = {},
	time: Attempting = { impatient: true },
): Promise<
	AttemptingClient<OrderManagementClient> & { server: ScriptedServer }
> {
	const server = await answering(answers);
	const watched = attempting<OrderManagementClient>(
		OrderManagement,
		server.address,
		{ retryPolicy, ...options },
		time,
	);
	after.push(
		() => server[Symbol.asyncDispose](),
		() => watched[Symbol.asyncDispose](),
	);
	return Object.assign(watched, { server });
}

const retried =
	(n = 1) =>
	({ decisions }: AttemptingClient<unknown>): boolean =>
		decisions.length === n;

/** A StringValue, or an Order's id. */
const field = (text: string): string =>
	`\n${String.fromCharCode(text.length)}${text}`;

/** So many bytes on the wire: 5 of frame, 2 of field. */
const sized = (bytes: number): string => "x".repeat(bytes - 7);

const readAndBusy = wholly(busy);
const readAndFine = wholly(fine);

describe("all four kinds are retried until they are committed", () => {
	test("unary", async () => {
		const { client, server } = await ordering(
			[readAndBusy, readAndFine],
			{},
			{},
		);
		await client.getOrder({ value: "7" });
		expect(server.seen.map(({ messages }) => messages)).toEqual([
			[field("7")],
			[field("7")],
		]);
	});

	test("server streaming", async () => {
		const streaming = wholly(({ stream }) => {
			respond(stream);
			for (const _ of "123") stream.write(frame());
			finish(stream);
		});
		const { client, server } = await ordering([readAndBusy, streaming], {}, {});
		let count = 0;
		for await (const _ of client.searchOrders({ value: "q" })) count++;
		expect(count).toBe(3);
		expect(server.seen.map(({ messages }) => messages)).toEqual([
			[field("q")],
			[field("q")],
		]);
	});

	test("client streaming, with what was written before, during and after the backoff", async () => {
		const watched = await ordering([busy, wholly(fine)]);
		const { client, clock, server } = watched;
		const stream = client.updateOrders.open();
		await stream.send({ id: "a" });
		await stream.send({ id: "b" });
		await watched.until(() => retried()(watched));
		const sending = stream.send({ id: "c" });
		await clock.advance(100);
		await sending;
		const second = await server.request(2);
		await second.received(3);
		await stream.send({ id: "d" });
		await stream.closeAndRecv();
		expect(second.messages).toEqual(["a", "b", "c", "d"].map(field));
	});

	test("client streaming, closed before the first attempt fails", async () => {
		const { client, server } = await ordering(
			[readAndBusy, readAndFine],
			{},
			{},
		);
		await client.updateOrders([{ id: "a" }, { id: "b" }]);
		expect(server.seen[1]?.messages).toEqual(["a", "b"].map(field));
	});

	test("client streaming, closed during the backoff", async () => {
		const watched = await ordering([busy, readAndFine]);
		const stream = watched.client.updateOrders.open();
		await stream.send({ id: "a" });
		await watched.until(() => retried()(watched));
		const answered = stream.closeAndRecv();
		await watched.clock.advance(100);
		await answered;
		expect(watched.server.seen[1]?.messages).toEqual([field("a")]);
	});

	test("client streaming, that has sent nothing", async () => {
		const watched = await ordering([busy, readAndFine], {}, {});
		await watched.client.updateOrders([]);
		expect(watched.server.seen).toHaveLength(2);
		expect(watched.server.seen[1]?.messages).toEqual([]);
	});

	test("bidirectional, with what was written before and after the first attempt failed", async () => {
		const watched = await ordering([
			(request) => {
				request.read();
				void request.received(2).then(() => busy(request));
			},
			(request) => {
				request.read();
				void request.received(3).then(() => {
					respond(request.stream);
					request.stream.write(frame());
				});
				void request.whole.then(() => finish(request.stream));
			},
		]);
		const stream = watched.client.processOrders.open();
		await stream.send({ value: "1" });
		await stream.send({ value: "2" });
		await watched.until(() => retried()(watched));
		const sending = stream.send({ value: "3" });
		await watched.clock.advance(100);
		await sending;
		expect(await stream.recv()).toBeDefined();
		// Committed by now.
		await stream.send({ value: "4" });
		await stream.closeSend();
		expect(await stream.recv()).toBeUndefined();
		expect(watched.server.seen[1]?.messages).toEqual(
			["1", "2", "3", "4"].map(field),
		);
	});

	test("bidirectional, from an iterable that goes on as if nothing had happened", async () => {
		const watched = await ordering(
			[
				(request) => {
					request.read();
					void request.received(3).then(() => busy(request));
				},
				wholly(({ stream }) => {
					respond(stream);
					stream.write(frame());
					finish(stream);
				}),
			],
			{},
			{},
		);
		const values = Array.from({ length: 50 }, (_, n) => String(n));
		async function* requests(): AsyncIterable<{ value: string }> {
			for (const value of values) {
				await settled();
				yield { value };
			}
		}
		let count = 0;
		for await (const _ of watched.client.processOrders(requests())) count++;
		expect(count).toBe(1);
		expect(watched.server.seen[1]?.messages).toEqual(values.map(field));
	});
});

test("what is replayed was encoded and compressed once", async () => {
	const bodies: Buffer[] = [];
	const reading = (then: Answer): Answer => {
		return (request) => {
			const chunks: Buffer[] = [];
			request.stream.on("data", (chunk: Buffer) => chunks.push(chunk));
			request.stream.on("end", () => {
				bodies.push(Buffer.concat(chunks));
				then(request);
			});
		};
	};
	const { client } = await ordering(
		[reading(busy), reading(fine)],
		{ compression: "gzip" },
		{},
	);
	let encoded = 0;
	const order = {
		get description() {
			encoded += 1;
			return "x".repeat(10_000);
		},
	};
	await client.updateOrders([order]);
	const asked = encoded;
	await client.updateOrders([order]);
	// The first of these calls was sent twice, the second once.
	expect(encoded).toBe(2 * asked);
	const [first, second] = bodies;
	expect(first?.[0]).toBe(1);
	expect(first?.length).toBeLessThan(1_000);
	expect(second).toEqual(first);
});

describe("flow control", () => {
	const description = "x".repeat(8_000);

	test("of the first attempt, which nobody read, does not hold up the second", async () => {
		const watched = await ordering([
			() => {},
			wholly(({ stream }) => answer(stream)),
		]);
		const stream = watched.client.updateOrders.open();
		const sends: Promise<void>[] = [];
		for (let n = 0; n < 24; n++) {
			sends.push(stream.send({ id: String(n), description }));
		}
		const first = await watched.server.request(1);
		refuse(first.stream, 14);
		await watched.until(() => retried()(watched));
		await watched.clock.advance(100);
		await Promise.all(sends);
		await stream.closeAndRecv();
		expect(watched.server.seen[1]?.messages).toHaveLength(24);
	});

	test("of a second attempt that reads slowly gets it all, in order", async () => {
		const trickle = (request: SeenRequest): void => {
			request.read();
			request.stream.on("data", () => {
				request.stream.pause();
				setImmediate(() => request.stream.resume());
			});
			void request.whole.then(() => answer(request.stream));
		};
		const watched = await ordering([busy, trickle], {}, {});
		const orders = Array.from({ length: 30 }, (_, n) => ({
			id: String(n),
			description,
		}));
		await watched.client.updateOrders(orders);
		const second = watched.server.seen[1];
		expect(second?.messages).toHaveLength(30);
		expect(
			second?.messages.map((message) => message.slice(2).split("\x1a")[0]),
		).toEqual(orders.map(({ id }) => id));
	});

	test("holds the sender while there is no attempt, and lets it go with the next", async () => {
		const watched = await ordering([busy, wholly(fine)]);
		const stream = watched.client.updateOrders.open();
		await watched.until(() => retried()(watched));
		let sent = false;
		const sending = stream.send({ id: "a" }).then(() => {
			sent = true;
		});
		await watched.clock.advance(99);
		expect(sent).toBe(false);
		await watched.clock.advance(1);
		await sending;
		await stream.closeAndRecv();
	});
});

describe("a call that outgrows its buffer", () => {
	const tooLarge = "the request is larger than what is kept to be sent again";

	test("is committed: a failure is final, and the caller learns why nobody retried", async () => {
		const watched = await ordering([(request) => request.read()], {
			retryBufferBytesPerCall: 100,
		});
		const stream = watched.client.updateOrders.open();
		await stream.send({ id: sized(50) });
		await stream.send({ id: sized(51) });
		const first = await watched.server.request(1);
		await first.received(2);
		busy(first);
		const error = await errorOf(stream.closeAndRecv());
		expect(error.rawMessage).toBe("busy");
		expect(watched.decisions).toEqual([
			{ kind: "denied", delayMs: 0, reason: tooLarge },
		]);
		expect(watched.server.seen).toHaveLength(1);
	});

	test("by no byte is not", async () => {
		const watched = await ordering(
			[
				(request) => {
					request.read();
					void request.received(2).then(() => busy(request));
				},
				readAndFine,
			],
			{ retryBufferBytesPerCall: 100 },
			{},
		);
		await watched.client.updateOrders([{ id: sized(50) }, { id: sized(50) }]);
		expect(watched.server.seen).toHaveLength(2);
	});

	test("goes on, and is answered", async () => {
		const { client, server } = await ordering([readAndFine], {
			retryBufferBytesPerCall: 0,
		});
		await client.updateOrders([{ id: "a" }, { id: "b" }, { id: "c" }]);
		expect(server.seen[0]?.messages).toEqual(["a", "b", "c"].map(field));
	});

	test("with its only message, as it is closed, has one attempt", async () => {
		const { client, server, decisions } = await ordering([readAndBusy], {
			retryBufferBytesPerCall: 99,
		});
		await errorOf(client.getOrder({ value: sized(100) }));
		expect(server.seen).toHaveLength(1);
		expect(decisions[0]?.reason).toBe(tooLarge);
	});

	test("by default has 256 KiB", async () => {
		const watched = await ordering([readAndBusy], {}, {});
		const bytes = 256 * 1024;
		// A length of three bytes takes two more than sized() reckons with.
		await errorOf(watched.client.getOrder({ value: sized(bytes - 2) }));
		expect(watched.server.seen).toHaveLength(5);
		await errorOf(watched.client.getOrder({ value: sized(bytes - 1) }));
		expect(watched.server.seen).toHaveLength(6);
	});

	test("while it waits for its next attempt has that one, which wins", async () => {
		const watched = await ordering([busy], { retryBufferBytesPerCall: 100 });
		const stream = watched.client.updateOrders.open();
		await stream.send({ id: sized(50) });
		await watched.until(() => retried()(watched));
		const sending = stream.send({ id: sized(51) });
		await watched.clock.advance(100);
		await watched.until(() => retried(2)(watched));
		expect(watched.decisions[1]?.reason).toBe(tooLarge);
		await sending;
		expect((await errorOf(stream.closeAndRecv())).rawMessage).toBe("busy");
		expect(watched.server.seen).toHaveLength(2);
	});

	test("before it could be sent is sent whole", async () => {
		const ready = Promise.withResolvers<void>();
		const server = await answering([readAndFine]);
		const watched = attempting<OrderManagementClient>(
			OrderManagement,
			{
				async *watch() {
					await ready.promise;
					yield { endpoints: [{ address: server.address }] };
				},
			},
			{ retryPolicy, retryBufferBytesPerCall: 100 },
		);
		after.push(
			() => server[Symbol.asyncDispose](),
			() => watched[Symbol.asyncDispose](),
		);
		const call = watched.client.updateOrders([
			{ id: sized(60) },
			{ id: sized(60) },
		]);
		await settled();
		ready.resolve();
		await call;
		expect(server.seen[0]?.messages).toHaveLength(2);
	});

	test("is not sent again transparently, either: there is nothing left to send", async () => {
		const { client, server } = await ordering(
			[({ stream }) => stream.close(7)],
			{ retryBufferBytesPerCall: 10 },
		);
		await errorOf(client.getOrder({ value: "x".repeat(20) }));
		expect(server.seen).toHaveLength(1);
	});
});

describe("the buffer of a channel", () => {
	/** What is kept of all requests. */
	const kept = (watched: AttemptingClient<unknown>): number =>
		(watched.core.snapshot() as { retryBufferBytes: number }).retryBufferBytes;

	test("is shared by its calls: one for which there is no room is not retried", async () => {
		const watched = await ordering([(request) => request.read()], {
			retryBufferBytes: 100,
		});
		const one = watched.client.updateOrders.open();
		const other = watched.client.updateOrders.open();
		await one.send({ id: sized(60) });
		await other.send({ id: sized(60) });
		expect(kept(watched)).toBe(60);
		const requests = [
			await watched.server.request(1),
			await watched.server.request(2),
		];
		for (const request of requests) {
			await request.received(1);
			busy(request);
		}
		await watched.until(() => retried(2)(watched));
		expect(watched.decisions.map(({ kind }) => kind).sort()).toEqual([
			"denied",
			"scheduled",
		]);
		expect((await errorOf(other.closeAndRecv())).rawMessage).toBe("busy");
		one.cancel();
		await errorOf(one.closeAndRecv());
		expect(kept(watched)).toBe(0);
	});

	test("has 16 MiB by default", async () => {
		const watched = await ordering([() => {}], {
			retryBufferBytesPerCall: 32 * 1024 * 1024,
		});
		const { client, server } = watched;
		const bytes = 16 * 1024 * 1024;
		const large = client.updateOrders.open();
		// A length of four bytes takes three more than sized() reckons with.
		const sending = errorOf(large.send({ id: sized(bytes - 3) }));
		await server.request(1);
		expect(kept(watched)).toBe(bytes);
		const small = client.updateOrders.open();
		await small.send({ id: sized(10) });
		await server.request(2);
		expect(kept(watched)).toBe(bytes);
		large.cancel();
		small.cancel();
		await sending;
		expect(kept(watched)).toBe(0);
	});

	test("is free again as soon as a call is committed, not only at its end", async () => {
		const watched = await ordering([
			(request) => {
				request.read();
				void request.received(1).then(() => {
					respond(request.stream);
					request.stream.write(frame());
				});
			},
		]);
		const stream = watched.client.processOrders.open();
		await stream.send({ value: sized(60) });
		expect(kept(watched)).toBe(60);
		await stream.recv();
		expect(kept(watched)).toBe(0);
		await stream.send({ value: sized(60) });
		expect(kept(watched)).toBe(0);
		stream.cancel();
	});

	test.each<[string, Answer, (call: Promise<unknown>) => Promise<unknown>]>([
		["well", wholly(fine), (call) => call],
		["with a failure", wholly(({ stream }) => refuse(stream, 13)), errorOf],
		["after all attempts", wholly(busy), errorOf],
	])("is free after calls that end %s", async (_how, answer, end) => {
		const watched = await ordering([answer], { retryBufferBytes: 100 }, {});
		for (const _ of "12345") {
			await end(watched.client.updateOrders([{ id: sized(80) }]));
			expect(kept(watched)).toBe(0);
		}
	});

	test("is free after calls that outgrew their own", async () => {
		const watched = await ordering([wholly(fine)], {
			retryBufferBytesPerCall: 50,
		});
		await watched.client.updateOrders([{ id: sized(40) }, { id: sized(40) }]);
		expect(kept(watched)).toBe(0);
	});
});
