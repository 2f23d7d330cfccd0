import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type StreamResponse } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import {
	CombinedShipmentSchema,
	OrderManagement,
} from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { CallOptions } from "../options/call-options.ts";
import { TransportStream } from "./transport-stream.ts";

const method = OrderManagement.method.processOrders;
type I = typeof StringValueSchema;
type O = typeof CombinedShipmentSchema;
type Requests = AsyncIterable<MessageInitShape<I>>;

/** A call over a transport whose behaviour a test defines. */
function opened(
	transport: (
		requests: Requests,
		signal: AbortSignal,
	) => AsyncIterable<{ id: string }> | Promise<never>,
	options: CallOptions = {},
) {
	const state: { signal?: AbortSignal } = {};
	const stream = new TransportStream<I, O>(
		method,
		options,
		async (signal, requests): Promise<StreamResponse<I, O>> => {
			state.signal = signal;
			const messages = await transport(requests, signal);
			return {
				stream: true,
				service: OrderManagement,
				method,
				header: new Headers({ "x-header": "first" }),
				trailer: new Headers({ "x-trailer": "last" }),
				message: (async function* () {
					for await (const message of messages) {
						yield create(CombinedShipmentSchema, message);
					}
				})(),
			};
		},
	);
	return { stream, state };
}

/** Never responds, and ignores its signal. */
async function* silent(): AsyncGenerator<{ id: string }> {
	await new Promise(() => {});
}

const never = (): Promise<never> => new Promise(() => {});

describe("a stream over a Connect transport", () => {
	test("reports headers as soon as they are there, before anybody reads", async () => {
		const onHeader = vi.fn<(header: Headers) => void>();
		opened(silent, { onHeader });
		await settled();
		expect(onHeader.mock.calls[0]?.[0].get("x-header")).toBe("first");
	});

	test("reports the trailers of a call that fails, too", async () => {
		const onTrailer = vi.fn<(trailer: Headers) => void>();
		const { stream } = opened(
			// biome-ignore lint/correctness/useYield: it fails before the first message
			async function* () {
				throw new ConnectError("gone", Code.NotFound);
			},
			{ onTrailer },
		);
		await expect(stream.recv()).rejects.toMatchObject({ code: Code.NotFound });
		expect(onTrailer.mock.calls[0]?.[0].get("x-trailer")).toBe("last");
	});

	test.each([
		["that sends no headers", never],
		["that sends no messages", silent],
	])(
		"over a transport %s and heeds no signal can be cancelled",
		async (_, transport) => {
			const { stream, state } = opened(transport);
			const next = stream.recv();
			await settled();
			stream.cancel(new Error("enough"));
			await expect(next).rejects.toThrow("the call was cancelled: enough");
			await expect(stream.send({})).rejects.toMatchObject({
				code: Code.Canceled,
			});
			await expect(stream.trailer).rejects.toMatchObject({
				code: Code.Canceled,
			});
			expect(state.signal?.aborted).toBe(true);
		},
	);

	test("rejects all reads with the same error, also those in line", async () => {
		const { stream } = opened(async function* () {
			yield { id: "1" };
			throw new ConnectError("gone", Code.NotFound);
		});
		const first = stream.recv();
		const others = [stream.recv(), stream.recv()];
		expect(await first).toMatchObject({ id: "1" });
		for (const other of others) {
			await expect(other).rejects.toMatchObject({ code: Code.NotFound });
		}
	});

	test("sends before a transport reads, if it reads only when somebody reads from it", async () => {
		const { stream } = opened(async function* (requests) {
			for await (const { value = "" } of requests) yield { id: value };
		});
		for (const value of ["1", "2", "3"]) await stream.send({ value });
		expect(await stream.recv()).toMatchObject({ id: "1" });
		expect(await stream.recv()).toMatchObject({ id: "2" });
	});

	test("lets senders wait if the transport does not read", async () => {
		const { stream } = opened(silent);
		let sent = 0;
		const sending = (async () => {
			for (;;) {
				await stream.send({});
				sent++;
			}
		})();
		await settled();
		expect(sent).toBeLessThan(100);
		stream.cancel();
		await expect(sending).rejects.toMatchObject({ code: Code.Canceled });
	});

	test("stops asking for requests once the transport has stopped reading", async () => {
		const { stream } = opened(async function* (requests) {
			for await (const { value = "" } of requests) {
				yield { id: value };
				break;
			}
			await never();
		});
		let returned = false;
		function* endless() {
			try {
				for (;;) yield { value: "1" };
			} finally {
				returned = true;
			}
		}
		stream.sendAll(endless());
		await stream.recv();
		void stream.recv().catch(() => {});
		await vi.waitFor(() => expect(returned).toBe(true));
		stream.cancel();
	});

	test("closes the iterator of requests at its end, even if a request is still awaited", async () => {
		const { stream } = opened(async function* () {
			yield { id: "1" };
		});
		const leave = vi.fn(async () => ({ done: true, value: {} }) as const);
		stream.sendAll({
			[Symbol.asyncIterator]: () => ({ next: never, return: leave }),
		});
		for await (const { id } of stream) expect(id).toBe("1");
		expect(leave).toHaveBeenCalledOnce();
	});

	test("removes its listener from the signal at the end", async () => {
		const abort = new AbortController();
		const { stream, state } = opened(
			async function* () {
				yield { id: "1" };
			},
			{ signal: abort.signal },
		);
		for await (const { id } of stream) expect(id).toBe("1");
		abort.abort();
		expect(state.signal?.aborted).toBe(false);
		expect(await stream.recv()).toBeUndefined();
	});

	test("whose signal has already fired fails, and passes the transport a signal that has fired", async () => {
		const { stream, state } = opened(never, { signal: AbortSignal.abort() });
		await expect(stream.recv()).rejects.toMatchObject({ code: Code.Canceled });
		expect(state.signal?.aborted).toBe(true);
	});

	test("returns the same promise from each closeAndRecv", async () => {
		const { stream } = opened(async function* () {
			yield { id: "1" };
		});
		const first = stream.closeAndRecv();
		expect(await stream.closeAndRecv()).toMatchObject({ id: "1" });
		expect(await stream.closeAndRecv()).toBe(await first);
	});

	test("refuses to send something that is no message, and goes on", async () => {
		const { stream } = opened(async function* (requests) {
			for await (const { value = "" } of requests) yield { id: value };
		});
		await expect(stream.send("text" as never)).rejects.toMatchObject({
			code: Code.Internal,
			rawMessage:
				'the request is no google.protobuf.StringValue: "text" is neither a message nor its fields',
		});
		await stream.send({ value: "1" });
		expect(await stream.recv()).toMatchObject({ id: "1" });
	});

	test("fails if its only request is no message", async () => {
		const { stream, state } = opened(silent);
		stream.sendOnly("text" as never);
		await expect(stream.recv()).rejects.toMatchObject({ code: Code.Internal });
		expect(state.signal?.aborted).toBe(true);
	});

	test("closes the iterator of requests if one of them is no message", async () => {
		const { stream } = opened(silent);
		let cleanedUp = false;
		stream.sendAll(
			(function* () {
				try {
					yield "text" as never;
				} finally {
					cleanedUp = true;
				}
			})(),
		);
		await expect(stream.recv()).rejects.toMatchObject({ code: Code.Canceled });
		expect(cleanedUp).toBe(true);
	});

	test.each([5, undefined, null, {}])(
		"fails when its requests, %s, are nothing to iterate over",
		async (requests) => {
			const { stream } = opened(silent);
			stream.sendAll(requests as never);
			await expect(stream.recv()).rejects.toThrow(
				"is nothing to iterate over; give an array or a generator of messages",
			);
		},
	);

	test("tells a transport that still reads requests that the server has ended the call", async () => {
		const { promise: why, resolve } = Promise.withResolvers<unknown>();
		const { stream } = opened(async function* (requests) {
			requests[Symbol.asyncIterator]().next().catch(resolve);
			yield { id: "1" };
		});
		for await (const { id } of stream) expect(id).toBe("1");
		expect(await why).toMatchObject({ code: Code.FailedPrecondition });
	});

	test("fails with a ConnectError, whatever its transport throws", async () => {
		const thrown = new Error("slipped");
		const { stream } = opened(() => Promise.reject(thrown));
		const error = await stream.recv().catch((reason: unknown) => reason);
		expect(error).toBeInstanceOf(ConnectError);
		expect(error).toMatchObject({ code: Code.Unknown, cause: thrown });
		await expect(stream.header).rejects.toBe(error);
	});
});
