import { describe, expect, test, vi } from "vitest";
import {
	type Frame,
	FrameClient,
} from "../../../testdata/harness/frame-client.ts";
import { framed } from "../../../testdata/harness/raw-client.ts";
import {
	getOrder,
	processOrders,
	type Serving,
	serving,
	text,
} from "../../../testdata/harness/serving.ts";
import {
	errorCode,
	flag,
	frameType,
	uint32,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";

const MAX_CONCURRENT_STREAMS = 3;

/** A server that answers getOrder, and never processOrders. */
function servingTwo(): Promise<Serving> {
	return serving(
		{
			getOrder: () => ({}),
			async *processOrders(_, { signal }) {
				await new Promise((resolve) =>
					signal.addEventListener("abort", resolve),
				);
			},
		},
		{ maxConcurrentStreams: 2 },
	);
}

function resetOf(streamId: number) {
	return (frame: Frame) =>
		frame.type === frameType.reset && frame.streamId === streamId;
}

function endOf(streamId: number) {
	return (frame: Frame) =>
		frame.streamId === streamId &&
		(frame.type === frameType.reset ||
			(frame.type === frameType.headers && (frame.flags & flag.endStream) > 0));
}

/** A whole call of getOrder. */
function call(client: FrameClient, streamId: number): void {
	client.request(streamId, getOrder);
	client.frame(frameType.data, flag.endStream, streamId, framed(text("a")));
}

describe("the limit of streams", () => {
	test("is announced in the first frame, and not changed by later ones", async () => {
		await using served = await servingTwo();
		using client = await FrameClient.connect(served.address);
		call(client, 1);
		await client.received(endOf(1));
		expect(client.frames[0]?.type).toBe(frameType.settings);
		const told: number[] = [];
		for (const { type, flags, payload } of client.frames) {
			if (type !== frameType.settings || flags === flag.ack) continue;
			for (let at = 0; at < payload.length; at += 6) {
				if (payload.readUInt16BE(at) !== MAX_CONCURRENT_STREAMS) continue;
				told.push(payload.readUInt32BE(at + 2));
			}
		}
		expect(told).toEqual([2]);
	});

	test("does not count streams that the client has reset, however soon the next one follows", async () => {
		await using served = await servingTwo();
		using client = await FrameClient.connect(served.address);
		client.request(1, processOrders);
		client.request(3, processOrders);
		await vi.waitFor(() =>
			expect(served.server.snapshot().calls.inFlight).toBe(2),
		);
		const rounds = 200;
		client.socket.cork();
		for (let i = 0; i < rounds; i++) {
			client.reset(2 * i + 1, errorCode.CANCEL);
			client.request(2 * i + 5, processOrders);
		}
		client.reset(2 * rounds + 1, errorCode.CANCEL);
		call(client, 2 * rounds + 5);
		client.socket.uncork();
		const answer = await client.received(endOf(2 * rounds + 5));
		expect(answer?.type).toBe(frameType.headers);
		const resets = client.frames.filter(({ type }) => type === frameType.reset);
		expect(resets).toEqual([]);
	});

	test("refuses streams beyond it, hundreds of them, and the others go on", async () => {
		await using served = await servingTwo();
		using client = await FrameClient.connect(served.address);
		await client.received(({ type }) => type === frameType.settings);
		client.request(1, processOrders);
		client.request(3, processOrders);
		for (let id = 5; id < 1005; id += 2) client.request(id, processOrders);
		const last = await client.received(resetOf(1003));
		expect(last?.payload).toEqual(uint32(errorCode.REFUSED_STREAM));
		expect(served.server.snapshot().calls).toMatchObject({
			started: 2,
			inFlight: 2,
		});
		expect(served.server.snapshot().refused).toEqual({
			maxConcurrentStreams: 500,
		});
		client.reset(1, errorCode.CANCEL);
		call(client, 1005);
		expect((await client.received(endOf(1005)))?.type).toBe(frameType.headers);
	});

	test("has room again after each call that was answered", async () => {
		await using served = await servingTwo();
		using client = await FrameClient.connect(served.address);
		client.request(1, processOrders);
		for (let id = 3; id < 203; id += 2) {
			call(client, id);
			expect((await client.received(endOf(id)))?.type).toBe(frameType.headers);
		}
	});
});

describe("a client", () => {
	test("that calls before it acknowledges SETTINGS is answered once it has", async () => {
		await using served = await servingTwo();
		using client = await FrameClient.connect(served.address);
		client.acknowledges = false;
		call(client, 1);
		await client.received(({ type }) => type === frameType.settings);
		client.frame(frameType.settings, flag.ack, 0);
		client.acknowledges = true;
		expect((await client.received(endOf(1)))?.type).toBe(frameType.headers);
		call(client, 3);
		expect((await client.received(endOf(3)))?.type).toBe(frameType.headers);
	});

	test("that does not acknowledge them is also answered, and may acknowledge late", async () => {
		await using served = await servingTwo();
		using client = await FrameClient.connect(served.address);
		client.acknowledges = false;
		call(client, 1);
		expect((await client.received(endOf(1)))?.type).toBe(frameType.headers);
		const settings = client.frames.filter(
			({ type, flags }) => type === frameType.settings && flags === 0,
		);
		for (const _ of settings) client.frame(frameType.settings, flag.ack, 0);
		client.acknowledges = true;
		call(client, 3);
		expect((await client.received(endOf(3)))?.type).toBe(frameType.headers);
	});

	test("that sends much before it acknowledges is read without delay", async () => {
		await using served = await servingTwo();
		using client = await FrameClient.connect(served.address);
		client.acknowledges = false;
		client.request(1, processOrders);
		for (let i = 0; i < 6; i++) {
			client.frame(frameType.data, 0, 1, Buffer.alloc(10_000));
		}
		for (let i = 0; i < 500; i++) {
			client.frame(frameType.ping, 0, 0, Buffer.alloc(8));
		}
		call(client, 3);
		expect((await client.received(endOf(3)))?.type).toBe(frameType.headers);
	});

	test("that leaves before it acknowledges leaves nothing behind", async () => {
		await using served = await servingTwo();
		const client = await FrameClient.connect(served.address);
		client.acknowledges = false;
		client.socket.end();
		await client.received(() => false);
		await served.client[Symbol.asyncDispose]();
		await vi.waitFor(() =>
			expect(served.server.snapshot().connections).toBe(0),
		);
	});
});
