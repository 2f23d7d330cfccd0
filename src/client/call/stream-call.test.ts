import { AsyncLocalStorage } from "node:async_hooks";
import { constants, type ServerHttp2Stream } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, describe, expect, test, vi } from "vitest";
import { tapFrames } from "../../../testdata/harness/frame-tap.ts";
import {
	answer,
	finish,
	frame,
	type RunningServer,
	refuse,
	respond,
	serveRoutes,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { startRawServer } from "../../../testdata/peers/node/misbehaving/raw-http2.ts";
import {
	OrderManagement,
	OrderSchema,
} from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import {
	NewOrderManagementClient,
	type OrderManagementClient,
} from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { channelOf, closeClient } from "../client-object.ts";
import type { ClientOptions } from "../options/client-options.ts";
import type { ServerStream } from "./stream-handles.ts";

const MIB = 1 << 20;

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

function clientOf(
	{ address }: { address: string },
	options?: ClientOptions,
): OrderManagementClient {
	const client = NewOrderManagementClient(address, options);
	after.push(() => closeClient(client));
	return client;
}

/** A server that handles each stream with the given function. */
async function serving(
	onStream: Parameters<typeof serveStreams>[0],
): Promise<RunningServer> {
	const server = await serveStreams(onStream);
	after.push(() => server[Symbol.asyncDispose]());
	return server;
}

/** A server of orders: a search finds "a", "b" and "c"; updates and shipments return what they received. */
async function orders(): Promise<RunningServer> {
	const server = await serveRoutes((router) =>
		router.service(OrderManagement, {
			getOrder: ({ value }) => ({ id: value }),
			async *searchOrders() {
				for (const id of ["a", "b", "c"]) yield { id };
			},
			async updateOrders(requests) {
				const ids = [];
				for await (const { id } of requests) ids.push(id);
				return { value: ids.join() };
			},
			async *processOrders(requests) {
				for await (const { value } of requests) yield { id: `got ${value}` };
			},
		}),
	);
	after.push(() => server[Symbol.asyncDispose]());
	return server;
}

async function errorOf(promise: Promise<unknown>): Promise<ConnectError> {
	const error = await promise.then(
		() => new Error("it went well"),
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(ConnectError);
	return error as ConnectError;
}

async function all<T>(messages: AsyncIterable<T>): Promise<T[]> {
	const read: T[] = [];
	for await (const message of messages) read.push(message);
	return read;
}

const order = (id: string): Uint8Array =>
	toBinary(OrderSchema, create(OrderSchema, { id }));

/** An order of about this many bytes. */
const large = (bytes: number) => ({ description: "x".repeat(bytes) });

/** The number of open calls on all connections of a client. */
function openCalls(client: OrderManagementClient): number {
	const snapshot = JSON.stringify(channelOf(client)?.snapshot());
	return [...snapshot.matchAll(/"openCalls":(\d+)/g)].reduce(
		(sum, [, count]) => sum + Number(count),
		0,
	);
}

/** Whether the promise is still pending after several turns of the event loop. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
	let open = true;
	promise.then(
		() => {
			open = false;
		},
		() => {
			open = false;
		},
	);
	for (let i = 0; i < 20 && open; i++) {
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
	return open;
}

describe("with iterables", () => {
	test("a server stream is read with for await", async () => {
		const client = clientOf(await orders());
		const found = await all(client.searchOrders({ value: "x" }));
		expect(found.map(({ id }) => id)).toEqual(["a", "b", "c"]);
	});

	test("a client stream sends the messages of an array, a generator, or an async generator", async () => {
		const client = clientOf(await orders());
		const list = [{ id: "a" }, { id: "b" }];
		const sources = [
			list,
			new Set(list),
			(function* () {
				yield* list;
			})(),
			(async function* () {
				yield* list;
			})(),
		];
		for (const source of sources) {
			expect((await client.updateOrders(source)).value).toBe("a,b");
		}
		expect((await client.updateOrders([])).value).toBe("");
	});

	test("a bidirectional stream sends and receives", async () => {
		const client = clientOf(await orders());
		const got = client.processOrders([{ value: "1" }, { value: "2" }]);
		expect((await all(got)).map(({ id }) => id)).toEqual(["got 1", "got 2"]);
	});
});

describe("with handles", () => {
	test("a server stream is received message by message, and returns undefined after the end", async () => {
		const client = clientOf(await orders());
		const stream = client.searchOrders({});
		for (const id of ["a", "b", "c"]) {
			expect((await stream.recv())?.id).toBe(id);
		}
		expect(await stream.recv()).toBeUndefined();
		expect(await stream.recv()).toBeUndefined();
	});

	test("several receives at once get the messages in order", async () => {
		const client = clientOf(await orders());
		const stream = client.searchOrders({});
		const got = await Promise.all([1, 2, 3, 4, 5].map(() => stream.recv()));
		expect(got.map((one) => one?.id)).toEqual([
			"a",
			"b",
			"c",
			undefined,
			undefined,
		]);
	});

	test("a client stream is sent and closed, and gets its response", async () => {
		const client = clientOf(await orders());
		const stream = client.updateOrders.open();
		await stream.send({ id: "a" });
		await stream.send({ id: "b" });
		expect((await stream.closeAndRecv()).value).toBe("a,b");
	});

	test("closeAndRecv returns the same promise each time", async () => {
		const client = clientOf(await orders());
		const stream = client.updateOrders.open();
		await stream.send({ id: "a" });
		const first = await stream.closeAndRecv();
		expect(await stream.closeAndRecv()).toBe(first);
	});

	test("a bidirectional stream sends and receives in turn", async () => {
		const client = clientOf(await orders());
		const stream = client.processOrders.open();
		for (const value of ["1", "2", "3"]) {
			await stream.send({ value });
			expect((await stream.recv())?.id).toBe(`got ${value}`);
		}
		await stream.closeSend();
		expect(await stream.recv()).toBeUndefined();
	});

	test("a call starts at once, before anything is sent", async () => {
		const started = Promise.withResolvers<void>();
		const client = clientOf(
			await serving((stream) => {
				respond(stream, { "x-early": "1" });
				started.resolve();
			}),
		);
		const stream = client.processOrders.open();
		await started.promise;
		expect((await stream.header).get("x-early")).toBe("1");
		stream.cancel();
	});
});

describe("sending", () => {
	/** A server that reads only when a test tells it to. */
	async function unread(): Promise<{ server: RunningServer; read(): void }> {
		let read = (): void => {};
		const server = await serving((stream) => {
			read = () => {
				stream.resume();
			};
			stream.on("end", () => answer(stream));
		});
		return { server, read: () => read() };
	}

	test("resolves only when there is room: a server that does not read gets no more than its window", async () => {
		const { server, read } = await unread();
		await using tap = await tapFrames(server.port);
		const client = clientOf(tap);
		const stream = client.updateOrders.open();
		let sent = 0;
		let last: Promise<void> = Promise.resolve();
		for (; sent < 1000; sent++) {
			last = stream.send(large(10_000));
			if (await isOpen(last)) break;
		}
		expect(sent).toBeGreaterThan(4);
		expect(sent * 10_000).toBeLessThan(300_000);
		const onTheWire = tap.frames
			.filter(({ type }) => type === "DATA")
			.reduce((bytes, { payload }) => bytes + payload.length, 0);
		expect(onTheWire).toBeLessThanOrEqual(65_535);
		read();
		await last;
		await stream.closeAndRecv();
	});

	test("messages that are sent without waiting arrive complete and in order, and each send resolves", async () => {
		const client = clientOf(await orders());
		const ids = Array.from({ length: 200 }, (_, i) => `${i}`);
		const stream = client.updateOrders.open();
		const sends = ids.map((id) =>
			stream.send({ id, description: "x".repeat(2000) }),
		);
		expect((await stream.closeAndRecv()).value).toBe(ids.join());
		await Promise.all(sends);
	});

	test("waits for a connection", async () => {
		const arrived = Promise.withResolvers<void>();
		const client = clientOf(
			await serving((stream) => {
				stream.once("data", () => arrived.resolve());
			}),
		);
		const stream = client.updateOrders.open();
		await stream.send({ id: "a" });
		await arrived.promise;
		stream.cancel();
	});

	test("is refused after closeSend", async () => {
		const client = clientOf(await orders());
		const stream = client.processOrders.open();
		await stream.closeSend();
		await stream.closeSend();
		expect(await errorOf(stream.send({ value: "x" }))).toMatchObject({
			code: Code.FailedPrecondition,
			rawMessage:
				"the request has been closed: send before closeSend or closeAndRecv",
		});
		expect(await stream.recv()).toBeUndefined();
	});

	test("is refused once the server has ended the call with OK", async () => {
		const client = clientOf(
			await serving((stream) => {
				stream.resume();
				answer(stream);
			}),
		);
		const stream = client.processOrders.open();
		await stream.trailer;
		const error = await errorOf(stream.send({ value: "x" }));
		expect(error.code).toBe(Code.FailedPrecondition);
		expect(error.rawMessage).toContain("ended the call with status OK");
	});

	test("rejects with the error of a call that has failed", async () => {
		const client = clientOf(
			await serving((stream) => refuse(stream, 5, "no such thing")),
		);
		const stream = client.processOrders.open();
		const error = await errorOf(stream.trailer);
		expect(error).toMatchObject({
			code: Code.NotFound,
			rawMessage: "no such thing",
		});
		await expect(stream.send({ value: "x" })).rejects.toBe(error);
		await expect(stream.recv()).rejects.toBe(error);
	});

	test("rejects at the end of the call if it waits for room", async () => {
		const { server } = await unread();
		const client = clientOf(server);
		const stream = client.updateOrders.open();
		const send = stream.send(large(MIB));
		expect(await isOpen(send)).toBe(true);
		stream.cancel();
		expect((await errorOf(send)).code).toBe(Code.Canceled);
	});

	test("rejects for a message that cannot be encoded, and the call goes on", async () => {
		const client = clientOf(await orders());
		const stream = client.updateOrders.open();
		expect((await errorOf(stream.send({ price: 1e300 }))).code).toBe(
			Code.Internal,
		);
		await stream.send({ id: "a" });
		expect((await stream.closeAndRecv()).value).toBe("a");
	});

	test("a message above maxRequestMessageBytes ends the call", async () => {
		const client = clientOf(await orders(), { maxRequestMessageBytes: 10 });
		const stream = client.updateOrders.open();
		await stream.send({ id: "12345678" });
		const error = await errorOf(stream.send({ id: "123456789" }));
		expect(error.code).toBe(Code.ResourceExhausted);
		expect(error.rawMessage).toContain("11 bytes");
		expect((await errorOf(stream.closeAndRecv())).code).toBe(
			Code.ResourceExhausted,
		);
	});

	test("closeSend never rejects: receiving reports how the call ends", async () => {
		const client = clientOf(await serving((stream) => refuse(stream, 5)));
		const stream = client.processOrders.open();
		await errorOf(stream.recv());
		await stream.closeSend();
	});
});

const unspeakable = {
	toString() {
		throw new Error("no");
	},
};

describe("the only request of a server stream", () => {
	test.each<[string, object, ClientOptions, Code]>([
		["cannot be encoded", { value: unspeakable }, {}, Code.Internal],
		[
			"is too large",
			{ value: "123456789" },
			{ maxRequestMessageBytes: 5 },
			Code.ResourceExhausted,
		],
	])(
		"that %s fails the call, which the reader hears",
		async (_, request, options, code) => {
			const client = clientOf(await orders(), options);
			const stream = client.searchOrders(request);
			expect((await errorOf(stream.recv())).code).toBe(code);
			expect((await errorOf(stream.trailer)).code).toBe(code);
			expect(channelOf(client)?.snapshot()).toMatchObject({ callsInFlight: 0 });
		},
	);
});

test("a request that is too large opens no stream, even if a connection is ready", async () => {
	let streams = 0;
	const client = clientOf(
		await serving((stream) => {
			streams++;
			answer(stream);
		}),
		{ maxRequestMessageBytes: 5 },
	);
	await client.getOrder({ value: "1" });
	const value = "123456789";
	for (const refused of [
		client.getOrder({ value }),
		client.searchOrders({ value }).recv(),
	]) {
		expect((await errorOf(refused)).code).toBe(Code.ResourceExhausted);
	}
	await client.getOrder({ value: "2" });
	expect(streams).toBe(2);
});

describe("receiving", () => {
	test("delivers the messages before a failure, and then the failure", async () => {
		const client = clientOf(
			await serving((stream) => {
				respond(stream);
				stream.write(Buffer.concat([frame(order("a")), frame(order("b"))]));
				finish(stream, { "grpc-status": 9, "grpc-message": "enough" });
			}),
		);
		const stream = client.searchOrders({});
		await errorOf(stream.trailer);
		expect((await stream.recv())?.id).toBe("a");
		expect((await stream.recv())?.id).toBe("b");
		const error = await errorOf(stream.recv());
		expect(error.code).toBe(Code.FailedPrecondition);
		await expect(stream.recv()).rejects.toBe(error);
	});

	test.each<[string, number, Code, (stream: ServerHttp2Stream) => void]>([
		[
			"a reset",
			9,
			Code.Internal,
			(stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
		],
		[
			"the loss of the connection",
			9,
			Code.Unavailable,
			({ session }) => session?.socket.destroy(),
		],
		[
			"a reset in the middle of a message",
			8,
			Code.Internal,
			(stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
		],
	])(
		"slowly gives what came before %s, and then the failure",
		async (_, whole, code, end) => {
			const bytes = 60_000;
			const orders = Array.from({ length: 9 }, (_, i) =>
				frame(order(String(i).repeat(bytes))),
			);
			const client = clientOf(
				await serving((stream) => {
					respond(stream);
					stream.write(
						Buffer.concat(orders).subarray(0, whole * (bytes + 9) + 100),
					);
					// Its answer shows that everything has arrived.
					stream.write("", () => stream.session?.ping(() => end(stream)));
				}),
			);
			const stream = client.searchOrders({});
			await stream.header;
			await expect.poll(() => openCalls(client)).toBe(0);
			for (let i = 0; i < whole; i++) {
				expect((await stream.recv())?.id).toBe(String(i).repeat(bytes));
			}
			const error = await errorOf(stream.recv());
			expect(error.code).toBe(code);
			await expect(stream.recv()).rejects.toBe(error);
		},
	);

	test("slowly, also behind an interceptor, delivers the messages before a reset, and then the failure", async () => {
		const client = clientOf(
			await serving((stream) => {
				respond(stream);
				for (const id of ["a", "b"]) stream.write(frame(order(id)));
				stream.write("", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
			}),
			{ interceptors: [(next) => (call) => next(call)] },
		);
		const stream = client.searchOrders({});
		await stream.header;
		await expect.poll(() => openCalls(client)).toBe(0);
		expect((await stream.recv())?.id).toBe("a");
		expect((await stream.recv())?.id).toBe("b");
		expect((await errorOf(stream.recv())).code).toBe(Code.Internal);
	});

	test("delivers the messages before a reset even if the same loop waits for room to send", async () => {
		const client = clientOf(
			await serving((stream) => {
				respond(stream);
				for (let i = 0; i < 3; i++)
					stream.write(frame(order("x".repeat(50_000))));
				stream.write("", () =>
					stream.session?.ping(() =>
						stream.close(constants.NGHTTP2_INTERNAL_ERROR),
					),
				);
			}),
		);
		const call = client.processOrders.open();
		await call.header;
		await call.send({ value: "x".repeat(4 * MIB) });
		await call.send({ value: "y" });
		for (let i = 0; i < 3; i++)
			expect((await call.recv())?.id).toHaveLength(50_000);
		expect((await errorOf(call.recv())).code).toBe(Code.Internal);
		expect((await errorOf(call.send({ value: "z" }))).code).toBe(Code.Internal);
	});

	test("ignores a status in headers that are followed by messages; the status in the trailers counts", async () => {
		const streams: ServerHttp2Stream[] = [];
		const client = clientOf(
			await serving((stream) => {
				respond(stream, { "grpc-status": 0 });
				streams.push(stream);
			}),
		);
		const stream = client.searchOrders({});
		await stream.header;
		for (const id of ["a", "b", "c"]) {
			streams[0]?.write(frame(order(id)));
			expect((await stream.recv())?.id).toBe(id);
		}
		finish(streams[0] as ServerHttp2Stream, { "grpc-status": 9 });
		expect((await errorOf(stream.recv())).code).toBe(Code.FailedPrecondition);
	});

	test("ends at once if the server ends its side without trailers, even if the request is open", async () => {
		const server = await startRawServer({
			onHeaders: (stream) => {
				stream.headers([
					[":status", "200"],
					["content-type", "application/grpc"],
				]);
				stream.data(frame(order("a")), true);
			},
		});
		after.push(() => server.stop());
		const client = clientOf(server);
		const call = client.processOrders.open();
		await call.send({ value: "1" });
		expect((await call.recv())?.id).toBe("a");
		const error = await errorOf(call.recv());
		expect(error.code).toBe(Code.Internal);
		expect(error.rawMessage).toContain("without trailers");
		await expect.poll(() => openCalls(client)).toBe(0);
	});

	test("ends the call if a message does not parse", async () => {
		const reset = Promise.withResolvers<number>();
		const client = clientOf(
			await serving((stream) => {
				respond(stream);
				stream.write(frame(Uint8Array.of(10, 9)));
				stream.on("close", () => reset.resolve(stream.rstCode));
			}),
		);
		const stream = client.searchOrders({});
		const error = await errorOf(stream.recv());
		expect(error.code).toBe(Code.Internal);
		expect(error.rawMessage).toContain("the response is no ecommerce.Order");
		expect(await reset.promise).toBe(8);
		await expect(stream.recv()).rejects.toBe(error);
	});

	test.each([
		["recv", (stream: ServerStream<object>) => () => stream.recv()],
		[
			"an iterator",
			(stream: ServerStream<object>) => {
				const iterator = stream[Symbol.asyncIterator]();
				return () => iterator.next();
			},
		],
	])(
		"by %s what does not parse, of a call that has ended well, fails all that follows",
		async (_, receiving) => {
			const client = clientOf(
				await serving((stream) => {
					respond(stream);
					stream.write(frame(order("a")));
					stream.write(frame(Uint8Array.of(0xff)));
					stream.write(frame(order("b")));
					finish(stream, { "grpc-status": 0 });
				}),
			);
			const stream = client.searchOrders({});
			await stream.trailer;
			const next = receiving(stream);
			await next();
			const error = await errorOf(next());
			expect(error.rawMessage).toContain("the response is no ecommerce.Order");
			expect(await errorOf(next())).toBe(error);
		},
	);

	test("slowly stops a fast server: flow-control windows bound the memory", async () => {
		let written = 0;
		let messages = 0;
		const server = await serving((stream) => {
			respond(stream);
			const message = frame(
				toBinary(OrderSchema, create(OrderSchema, large(10_000))),
			);
			const write = (): void => {
				while (written < 64 * MIB) {
					messages += 1;
					written += message.length;
					if (!stream.write(message)) {
						stream.once("drain", write);
						return;
					}
				}
				finish(stream);
			};
			write();
		});
		const client = clientOf(server);
		const stream = client.searchOrders({});
		for (let i = 0; i < 10; i++) await stream.recv();
		let before = -1;
		while (before !== written) {
			before = written;
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
		expect(written).toBeLessThan(2 * MIB);
		let received = 10;
		while ((await stream.recv()) !== undefined) received += 1;
		expect(received).toBe(messages);
	});

	test("nothing of endless empty messages stops the server, too", async () => {
		let written = 0;
		const server = await serving((stream) => {
			respond(stream);
			const many = Buffer.concat(Array.from({ length: 1000 }, () => frame()));
			const write = (): void => {
				while (written < 4_000_000) {
					written += 1000;
					if (!stream.write(many)) {
						stream.once("drain", write);
						return;
					}
				}
				finish(stream);
			};
			write();
		});
		const client = clientOf(server);
		const stream = client.searchOrders({});
		await stream.recv();
		let before = -1;
		while (before !== written) {
			before = written;
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
		// Each takes 5 bytes: windows and buffers of less than 2 MiB hold no more.
		expect(written).toBeLessThan(400_000);
		stream.cancel();
	});
});

describe("leaving a stream", () => {
	/** A server that streams for ever, and records how its stream ended. */
	async function endless(): Promise<{
		client: OrderManagementClient;
		reset: Promise<number>;
	}> {
		const reset = Promise.withResolvers<number>();
		const client = clientOf(
			await serving((stream) => {
				respond(stream);
				stream.write(Buffer.concat([frame(order("a")), frame(order("b"))]));
				stream.on("close", () => reset.resolve(stream.rstCode));
			}),
		);
		return { client, reset: reset.promise };
	}

	test("by break cancels the call", async () => {
		const { client, reset } = await endless();
		const stream = client.searchOrders({});
		for await (const { id } of stream) {
			expect(id).toBe("a");
			break;
		}
		expect(await reset).toBe(8);
		expect(await errorOf(stream.recv())).toMatchObject({
			code: Code.Canceled,
			rawMessage: "the call was cancelled: the caller stopped reading",
		});
	});

	test("by an exception cancels the call, and is the caller's own", async () => {
		const { client, reset } = await endless();
		await expect(async () => {
			for await (const _ of client.searchOrders({})) throw new Error("mine");
		}).rejects.toThrow("mine");
		expect(await reset).toBe(8);
	});

	test("by throw() of its iterator, as Connect's clients do, cancels the call", async () => {
		const client = clientOf(await serving((stream) => respond(stream)));
		const stream = client.searchOrders({});
		await stream.header;
		const reason = new Error("aborted");
		const thrown = stream[Symbol.asyncIterator]().throw?.(reason);
		await expect(thrown).rejects.toBe(reason);
		const error = await errorOf(stream.recv());
		expect(error).toMatchObject({ code: Code.Canceled, cause: reason });
	});

	test("by disposing of it cancels the call", async () => {
		const { client, reset } = await endless();
		{
			await using stream = client.searchOrders({});
			await stream.recv();
		}
		expect(await reset).toBe(8);
	});

	test("by cancel() rejects pending promises, with the reason as the cause", async () => {
		const { client, reset } = await endless();
		const stream = client.processOrders.open();
		await stream.recv();
		await stream.recv();
		const waiting = stream.recv();
		const reason = new Error("no more");
		stream.cancel(reason);
		expect(await errorOf(waiting)).toMatchObject({
			code: Code.Canceled,
			rawMessage: "the call was cancelled: no more",
			cause: reason,
		});
		expect(await reset).toBe(8);
	});

	test("drops messages that have come but were not read", async () => {
		const { client } = await endless();
		const stream = client.searchOrders({});
		await stream.recv();
		stream.cancel();
		expect((await errorOf(stream.recv())).code).toBe(Code.Canceled);
	});

	test("has no effect after its end", async () => {
		const client = clientOf(await orders());
		const stream = client.searchOrders({});
		await all(stream);
		stream.cancel();
		await stream[Symbol.asyncDispose]();
		expect(await stream.recv()).toBeUndefined();
		await stream.trailer;
	});
});

describe("requests from an iterable", () => {
	test("are drawn no faster than the server reads", async () => {
		let made = 0;
		const server = await serving((stream) => respond(stream));
		const client = clientOf(server);
		const stream = client.processOrders(
			(function* () {
				for (;;) {
					made += 1;
					yield { value: "x".repeat(10_000) };
				}
			})(),
		);
		await stream.header;
		let before = -1;
		while (before !== made) {
			before = made;
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
		expect(made).toBeGreaterThan(4);
		expect(made).toBeLessThan(40);
		stream.cancel();
	});

	test("that throws cancel the call, so that the server does not see a complete upload", async () => {
		const ended = Promise.withResolvers<{ reset: number; complete: boolean }>();
		const server = await serving((stream) => {
			let complete = false;
			stream.on("end", () => {
				complete = !stream.aborted;
			});
			stream.resume();
			stream.on("close", () =>
				ended.resolve({ reset: stream.rstCode, complete }),
			);
		});
		await using tap = await tapFrames(server.port);
		const client = clientOf(tap);
		const reason = new Error("the disk is gone");
		const call = client.updateOrders(
			(async function* () {
				yield { id: "a" };
				await tap.until(({ type }) => type === "DATA");
				throw reason;
			})(),
		);
		expect(await errorOf(call)).toMatchObject({
			code: Code.Canceled,
			rawMessage:
				"the request messages could not all be sent: the disk is gone",
			cause: reason,
		});
		expect(await ended.promise).toEqual({ reset: 8, complete: false });
		const ofStream = tap.frames.filter(({ streamId }) => streamId === 1);
		expect(ofStream.some(({ endStream }) => endStream)).toBe(false);
	});

	test.each<[string, () => unknown]>([
		[
			"throws before its first message",
			() => ({
				[Symbol.iterator]: () => {
					throw new Error("nothing here");
				},
			}),
		],
		["is none", () => 5],
		["is absent", () => undefined],
	])("that %s fails the call", async (_, source) => {
		const client = clientOf(await orders());
		const call = client.updateOrders(source() as Iterable<object>);
		const error = await errorOf(call);
		expect(error.code).toBe(Code.Canceled);
		expect(error.rawMessage).toContain("could not all be sent");
	});

	test("that cannot be encoded fail the call", async () => {
		const client = clientOf(await orders());
		const error = await errorOf(client.updateOrders([{ price: 1e300 }]));
		expect(error.rawMessage).toContain("the request is no ecommerce.Order");
	});

	test("that cannot be encoded can clean up", async () => {
		let cleanedUp = false;
		const client = clientOf(await orders());
		function* requests() {
			try {
				yield { price: 1e300 };
			} finally {
				cleanedUp = true;
			}
		}
		await errorOf(client.updateOrders(requests()));
		expect(cleanedUp).toBe(true);
	});

	test("are closed when the call ends before they do", async () => {
		let returned = 0;
		const client = clientOf(
			await serving((stream) => {
				stream.resume();
				answer(
					stream,
					toBinary(
						StringValueSchema,
						create(StringValueSchema, { value: "done" }),
					),
				);
			}),
		);
		const requests = {
			[Symbol.asyncIterator]: () => ({
				next: () => new Promise<IteratorResult<object>>(() => {}),
				return: async () => {
					returned += 1;
					throw new Error("its own affair");
				},
			}),
		};
		expect((await client.updateOrders(requests)).value).toBe("done");
		expect(returned).toBe(1);
	});

	test("are closed if the call has ended before the first was drawn", async () => {
		const returned = vi.fn(() => ({ done: true, value: undefined }) as const);
		const client = clientOf(await orders());
		const next = vi.fn();
		const requests = {
			[Symbol.iterator]: () => ({ next, return: returned }),
		};
		const signal = AbortSignal.abort();
		await errorOf(client.updateOrders(requests, { signal }));
		expect(returned).toHaveBeenCalledOnce();
		expect(next).not.toHaveBeenCalled();
	});

	test("run their finally block when the call is cancelled", async () => {
		let cleaned = false;
		const client = clientOf(await serving((stream) => respond(stream)));
		const stream = client.processOrders(
			(async function* () {
				try {
					for (;;) yield { value: "x".repeat(10_000) };
				} finally {
					cleaned = true;
				}
			})(),
		);
		await stream.header;
		stream.cancel();
		await errorOf(stream.recv());
		await new Promise(setImmediate);
		expect(cleaned).toBe(true);
	});
});

describe("headers and trailers", () => {
	test("arrive in time: headers before the first message, trailers at the end", async () => {
		let go = (): void => {};
		const client = clientOf(
			await serving((stream) => {
				respond(stream, { "x-head": ["1", "2"], "x-data-bin": "YQ" });
				go = () => {
					stream.write(frame(order("a")));
					finish(stream, { "grpc-status": 0, "x-tail": "3" });
				};
			}),
		);
		const stream = client.searchOrders({});
		const header = await stream.header;
		expect(header.get("x-head")).toBe("1, 2");
		expect(header.get("x-data-bin")).toBe("YQ");
		expect([...header.keys()]).not.toContain(":status");
		const trailer = stream.trailer;
		expect(await isOpen(trailer)).toBe(true);
		go();
		expect((await trailer).get("x-tail")).toBe("3");
		expect((await stream.trailer).get("x-tail")).toBe("3");
		expect((await stream.header).get("x-head")).toBe("1, 2");
	});

	test("reach onHeader and onTrailer, once each", async () => {
		const heard: string[] = [];
		const client = clientOf(
			await serving((stream) => {
				respond(stream, { "x-head": "1" });
				stream.write(frame(order("a")));
				finish(stream, { "grpc-status": 0, "x-tail": "2" });
			}),
		);
		const stream = client.searchOrders(
			{},
			{
				onHeader: (header) => heard.push(`header ${header.get("x-head")}`),
				onTrailer: (trailer) => heard.push(`trailer ${trailer.get("x-tail")}`),
			},
		);
		await all(stream);
		expect(heard).toEqual(["header 1", "trailer 2"]);
	});

	test("reach onHeader and onTrailer in the async context of their call", async () => {
		const storage = new AsyncLocalStorage<number>();
		const client = clientOf(await orders());
		const heard: unknown[] = [];
		const call = async (number: number): Promise<void> => {
			const hear = (): void => {
				heard.push([number, storage.getStore()]);
			};
			await all(client.searchOrders({}, { onHeader: hear, onTrailer: hear }));
		};
		// None of them has a connection yet.
		await Promise.all([1, 2].map((n) => storage.run(n, call, n)));
		expect(heard.sort()).toEqual([
			[1, 1],
			[1, 1],
			[2, 2],
			[2, 2],
		]);
	});

	test("of a failed call are in its error, and the trailers reach onTrailer", async () => {
		const heard: string[] = [];
		const client = clientOf(
			await serving((stream) => refuse(stream, 5, "", { "x-why": "because" })),
		);
		const stream = client.searchOrders(
			{},
			{ onTrailer: (trailer) => heard.push(trailer.get("x-why") ?? "") },
		);
		const error = await errorOf(stream.header);
		expect(error.metadata.get("x-why")).toBe("because");
		await expect(stream.trailer).rejects.toBe(error);
		expect(heard).toEqual(["because"]);
	});

	test("of a failed Trailers-Only response: onHeader gets none, onTrailer gets the trailers", async () => {
		for (const status of [0, 5]) {
			const client = clientOf(
				await serving((stream) => refuse(stream, status, "", { "x-a": "1" })),
			);
			const heard: string[] = [];
			await all(
				client.searchOrders(
					{},
					{
						onHeader: (header) => heard.push(`header ${[...header]}`),
						onTrailer: (trailer) => heard.push(`trailer ${trailer.get("x-a")}`),
					},
				),
			).catch(() => {});
			expect(heard).toEqual(["header ", "trailer 1"]);
		}
	});

	test("of a successful Trailers-Only response: no headers, and the trailers", async () => {
		const client = clientOf(
			await serving((stream) => refuse(stream, 0, "", { "x-a": "1" })),
		);
		const stream = client.searchOrders({});
		expect(await all(stream)).toEqual([]);
		expect([...(await stream.header)]).toEqual([]);
		expect((await stream.trailer).get("x-a")).toBe("1");
	});

	test("that nobody waits for cause no unhandled rejection", async () => {
		const unhandled: unknown[] = [];
		const note = (reason: unknown): void => {
			unhandled.push(reason);
		};
		const before = process.listeners("unhandledRejection");
		process.removeAllListeners("unhandledRejection");
		process.on("unhandledRejection", note);
		try {
			const client = clientOf(await serving((stream) => refuse(stream, 5)));
			const stream = client.processOrders.open();
			void stream.header;
			void stream.trailer;
			await errorOf(stream.recv());
			void stream.header;
			void stream.trailer;
			await new Promise((resolve) => setTimeout(resolve, 20));
			expect(unhandled).toEqual([]);
		} finally {
			process.removeAllListeners("unhandledRejection");
			for (const listener of before) process.on("unhandledRejection", listener);
		}
	});
});

describe("the one response of a client stream", () => {
	test.each<[string, number, Code]>([
		["none", 0, Code.Unimplemented],
		["two", 2, Code.Unimplemented],
	])("%s is UNIMPLEMENTED", async (_, count, code) => {
		const client = clientOf(
			await serving((stream) => {
				stream.resume();
				respond(stream);
				for (let i = 0; i < count; i++) stream.write(frame());
				finish(stream);
			}),
		);
		expect((await errorOf(client.updateOrders([]))).code).toBe(code);
		const stream = client.updateOrders.open();
		expect((await errorOf(stream.closeAndRecv())).code).toBe(code);
	});

	test("followed by a failure rejects with that failure", async () => {
		const client = clientOf(
			await serving((stream) => {
				stream.resume();
				respond(stream);
				stream.write(frame());
				finish(stream, { "grpc-status": 10 });
			}),
		);
		expect((await errorOf(client.updateOrders([]))).code).toBe(Code.Aborted);
	});

	test("may come before the last request", async () => {
		const client = clientOf(
			await serving((stream) => {
				stream.once("data", () => {
					const value = toBinary(
						StringValueSchema,
						create(StringValueSchema, { value: "early" }),
					);
					answer(stream, value);
				});
			}),
		);
		const reply = await client.updateOrders(
			(async function* () {
				yield { id: "a" };
				await new Promise(() => {});
			})(),
		);
		expect(reply.value).toBe("early");
	});
});

test("a connection that is lost in the middle of a stream fails with UNAVAILABLE, and the error names the server", async () => {
	const server = await serving((stream) => {
		respond(stream);
		stream.write(frame(order("a")));
	});
	const client = clientOf(server);
	const stream = client.processOrders.open();
	await stream.recv();
	const waiting = [stream.recv(), stream.send({ value: "x".repeat(4 * MIB) })];
	server.cut();
	const [error] = await Promise.all(waiting.map(errorOf));
	expect(error?.code).toBe(Code.Unavailable);
	expect(error?.rawMessage).toMatch(
		new RegExp(`^${server.address}: connection lost: .`),
	);
	expect(error?.cause).toBeInstanceOf(Error);
});
