import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import {
	orderOf,
	searchOrders,
	serving,
	text,
} from "../../../testdata/harness/serving.ts";
import { push } from "./push.ts";

describe("push", () => {
	test("sends what the handler sends, and ends when it does", async () => {
		await using served = await serving({
			searchOrders: push(async ({ value }, stream, context) => {
				context.responseTrailer.set("x-trailer", "t");
				for (let i = 0; i < 100; i++) await stream.send({ id: `${value}${i}` });
			}),
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		const { messages, status, trailers } = await call.outcome;
		expect(messages.map((bytes) => orderOf(bytes).id)).toEqual(
			Array.from({ length: 100 }, (_, i) => `a${i}`),
		);
		expect(status).toBe(0);
		expect(trailers).toHaveProperty("x-trailer", "t");
	});

	test("keeps the order of messages whose send is not awaited, and loses none", async () => {
		await using served = await serving({
			searchOrders: push(async (_, stream) => {
				void stream.send({ id: "1" });
				void stream.send({ id: "2" });
				void stream.send({ id: "3" });
			}),
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		const { messages } = await call.outcome;
		expect(messages.map((bytes) => orderOf(bytes).id)).toEqual(["1", "2", "3"]);
	});

	test("send waits while the client does not read", async () => {
		let sent = 0;
		await using served = await serving({
			searchOrders: push(async (_, stream) => {
				for (; sent < 500; sent++) {
					await stream.send({ description: "x".repeat(20_000) });
				}
			}),
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		call.stream.pause();
		await call.headers;
		let before: number;
		do {
			before = sent;
			await new Promise((resolve) => setTimeout(resolve, 50));
		} while (sent > before);
		expect(sent).toBeLessThan(100);
		call.stream.resume();
		expect((await call.outcome).messages).toHaveLength(500);
	});

	test("fails the call with what the handler throws, after what it has sent", async () => {
		await using served = await serving({
			searchOrders: push(async (_, stream) => {
				void stream.send({ id: "1" });
				throw new ConnectError("enough", Code.Aborted);
			}),
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		expect(await call.outcome).toMatchObject({ messages: [{}], status: 10 });
	});

	test("also fails the call if the handler is not async and throws", async () => {
		await using served = await serving({
			searchOrders: push(() => {
				throw new ConnectError("enough", Code.Aborted);
			}),
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		expect((await call.outcome).status).toBe(10);
	});

	test("send rejects with CANCELED once the client has left, also for messages that already wait", async () => {
		const outcomes = Promise.withResolvers<unknown[]>();
		await using served = await serving({
			searchOrders: push(async (_, stream, { signal }) => {
				const failures: unknown[] = [];
				const failed = (error: unknown) => void failures.push(error);
				void stream.send({ id: "1" });
				await new Promise<void>((resolve) => {
					signal.addEventListener("abort", () => resolve());
				});
				const large = { description: "x" };
				await Promise.all([
					stream.send(large).catch(failed),
					stream.send(large).catch(failed),
				]);
				outcomes.resolve(failures);
			}),
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		await call.received(1);
		call.cancel();
		expect(await outcomes.promise).toMatchObject([
			{ code: Code.Canceled },
			{ code: Code.Canceled },
		]);
	});

	test("send rejects for messages that flow control holds back when the client leaves", async () => {
		const outcomes = Promise.withResolvers<PromiseSettledResult<void>[]>();
		await using served = await serving({
			searchOrders: push(async (_, stream) => {
				const sent = [1, 2, 3].map(() =>
					stream.send({ description: "x".repeat(1 << 20) }),
				);
				outcomes.resolve(await Promise.allSettled(sent));
			}),
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		call.stream.pause();
		await call.headers;
		call.cancel();
		const gone = { status: "rejected", reason: { code: Code.Canceled } };
		expect(await outcomes.promise).toMatchObject([gone, gone, gone]);
	});

	test.each<
		[
			string,
			(
				stream: { send(order: object): Promise<void> },
				left: Promise<unknown>,
			) => Promise<void>,
		]
	>([
		["has left", async (_, left) => void (await left)],
		[
			"has left with messages on their way to it",
			async (stream) => {
				for (let n = 0; n < 100; n++) {
					void stream.send({ description: "x".repeat(20_000) });
				}
			},
		],
	])(
		"what the handler throws when the client %s reaches onError",
		async (_, before) => {
			const told = Promise.withResolvers<unknown>();
			const entered = Promise.withResolvers<void>();
			const mine = new Error("mine");
			await using served = await serving(
				{
					searchOrders: push(async (_, stream, { signal }) => {
						const left = new Promise((resolve) =>
							signal.addEventListener("abort", resolve),
						);
						await stream.send({ id: "first" });
						await before(stream, left);
						entered.resolve();
						throw mine;
					}),
				},
				{ onError: (error) => told.resolve(error) },
			);
			const call = served.client.open(searchOrders).send(text("a")).end();
			await call.received(1);
			call.stream.pause();
			if (_ !== "has left") await entered.promise;
			call.cancel();
			expect(await told.promise).toBe(mine);
		},
	);

	test("a client that leaves is no error of the handler", async () => {
		const errors: unknown[] = [];
		const ended = Promise.withResolvers<void>();
		await using served = await serving(
			{
				searchOrders: push(async (_, stream) => {
					try {
						for (;;) await stream.send({ id: "again" });
					} finally {
						setImmediate(ended.resolve);
					}
				}),
			},
			{ onError: (error) => errors.push(error) },
		);
		const call = served.client.open(searchOrders).send(text("a")).end();
		await call.received(1);
		call.cancel();
		await ended.promise;
		expect(errors).toEqual([]);
	});

	test("a send that is not awaited and fails does not end the process", async () => {
		const unhandled: unknown[] = [];
		const listen = (reason: unknown) => unhandled.push(reason);
		process.on("unhandledRejection", listen);
		try {
			const ended = Promise.withResolvers<void>();
			await using served = await serving({
				searchOrders: push(async (_, stream, { signal }) => {
					while (!signal.aborted) {
						void stream.send({ description: "x".repeat(10_000) });
						await new Promise((resolve) => setImmediate(resolve));
					}
					void stream.send({});
					ended.resolve();
				}),
			});
			const call = served.client.open(searchOrders).send(text("a")).end();
			call.stream.pause();
			await call.headers;
			call.cancel();
			await ended.promise;
			await new Promise((resolve) => setTimeout(resolve, 10));
			expect(unhandled).toEqual([]);
		} finally {
			process.off("unhandledRejection", listen);
		}
	});

	test("send rejects after the handler has ended", async () => {
		const late = Promise.withResolvers<unknown>();
		await using served = await serving({
			searchOrders: push(async (_, stream) => {
				await stream.send({});
				setImmediate(() => late.resolve(stream.send({}).catch((e) => e)));
			}),
		});
		const call = served.client.open(searchOrders).send(text("a")).end();
		expect((await call.outcome).messages).toHaveLength(1);
		expect(await late.promise).toMatchObject({ code: Code.Canceled });
	});
});
