import { describe, expect, test } from "vitest";
import { startOf } from "../../../testdata/harness/call-start.ts";
import { openConnection } from "../../../testdata/harness/client-exchange.ts";
import { FrameClient } from "../../../testdata/harness/frame-client.ts";
import { reachableBytes } from "../../../testdata/harness/heap.ts";
import { processOrders, serving } from "../../../testdata/harness/serving.ts";
import {
	frameType,
	startRawServer,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";

/** Messages without a byte in them, each byte of which travels in a DATA frame of its own. */
function tinyFrames(streamId: number, bytes: number): Buffer {
	const frame = Buffer.of(0, 0, 1, frameType.data, 0, 0, 0, 0, streamId, 0);
	return Buffer.concat(Array(bytes).fill(frame));
}

const BYTES = 500_000;

/** So much is kept of each byte: a buffer grows by doubling, and the messages before the hold are objects. */
const AT_MOST = 8 * BYTES;

describe("unread DATA frames of one byte take memory in proportion to their bytes", () => {
	test("on a server", async () => {
		await using served = await serving({
			async *processOrders(_, { signal }) {
				await new Promise((resolve) =>
					signal.addEventListener("abort", resolve),
				);
			},
		});
		using client = await FrameClient.connect(served.address);
		await client.received(
			({ type, streamId }) => type === frameType.windowUpdate && streamId === 0,
		);
		client.request(1, processOrders);
		const frames = tinyFrames(1, BYTES);
		const before = reachableBytes();
		client.socket.write(frames);
		client.frame(frameType.ping, 0, 0, Buffer.alloc(8));
		await client.received(({ type }) => type === frameType.ping);
		expect(reachableBytes() - before).toBeLessThan(AT_MOST);
	});

	test("on a client", async () => {
		const frames = tinyFrames(1, BYTES);
		const server = await startRawServer({
			onHeaders: (stream) => {
				stream.headers([
					[":status", "200"],
					["content-type", "application/grpc"],
				]);
				stream.connection.socket.write(frames);
			},
		});
		using opened = await openConnection(server.address);
		const { socket, connection } = opened;
		let messages = 0;
		const call = connection.start(startOf(), {
			headers() {},
			message: () => {
				messages += 1;
			},
			writable() {},
			end() {},
		});
		call.hold();
		const before = reachableBytes();
		call.end();
		while (socket.bytesRead < frames.length) {
			await new Promise((resolve) => setTimeout(resolve, 1));
		}
		expect(reachableBytes() - before).toBeLessThan(AT_MOST);
		expect(messages).toBe(0);
		call.release();
		expect(messages).toBe(BYTES / 5);
		await server.stop();
	});
});
