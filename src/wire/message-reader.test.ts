import { gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { between, seeded } from "../../testdata/harness/seeded.ts";
import { AT_ONCE_BYTES } from "./gzip/gzip.ts";
import { GzipTurns } from "./gzip/gzip-turns.ts";
import { MessageReader, type MessageReaderOwner } from "./message-reader.ts";

/** A stream that a test reads from, and what came of it. */
class Reading implements MessageReaderOwner {
	readonly reader: MessageReader;
	readonly encoding: string | undefined;
	readonly gzip = new GzipTurns();
	readonly messages: Buffer[] = [];
	readonly ended: Promise<void>;
	error: { code: Code; message: string } | undefined;
	isOver = false;
	paused = false;
	onMessage: (() => void) | undefined;
	readonly #ended = Promise.withResolvers<void>();

	constructor(maxBytes = 1 << 20, encoding?: string) {
		this.encoding = encoding;
		this.reader = new MessageReader(this, maxBytes, this.gzip.inflations);
		this.ended = this.#ended.promise;
	}

	pause(): void {
		this.paused = true;
	}

	resume(): void {
		this.paused = false;
	}

	message(message: Uint8Array): void {
		expect(this.isOver).toBe(false);
		this.messages.push(Buffer.from(message));
		this.onMessage?.();
	}

	messagesEnd(): void {
		expect(this.isOver).toBe(false);
		this.isOver = true;
		this.#ended.resolve();
	}

	malformed(code: Code, message: string): void {
		expect(this.isOver).toBe(false);
		this.isOver = true;
		this.error = { code, message };
		this.#ended.resolve();
	}

	get texts(): string[] {
		return this.messages.map(String);
	}
}

/** A message as it travels. */
function frame(
	payload: Uint8Array | string,
	{ flag = 0, length = payload.length } = {},
): Buffer {
	const prefix = Buffer.alloc(5);
	prefix[0] = flag;
	prefix.writeUInt32BE(length, 1);
	return Buffer.concat([prefix, Buffer.from(payload)]);
}

function gzipped(payload: Uint8Array | string): Buffer {
	return frame(gzipSync(payload), { flag: 1 });
}

/** Does not compress, so that it stays longer than what is inflated at once. */
function noise(bytes: number): Buffer {
	const random = seeded(bytes);
	const made = Buffer.alloc(bytes);
	for (let i = 0; i < bytes; i++) made[i] = random() * 256;
	return made;
}

describe("messages", () => {
	const body = Buffer.concat([
		frame("one"),
		frame(""),
		gzipped("two"),
		frame("x".repeat(300)),
		frame(""),
	]);
	const texts = ["one", "", "two", "x".repeat(300), ""];

	test("come out of one chunk, in order", () => {
		const reading = new Reading(1000, "gzip");
		reading.reader.push(body);
		reading.reader.end();
		expect(reading.texts).toEqual(texts);
		expect(reading).toMatchObject({ isOver: true, error: undefined });
	});

	test("are the same, wherever the chunks are cut in two", () => {
		for (let cut = 0; cut <= body.length; cut++) {
			const reading = new Reading(1000, "gzip");
			reading.reader.push(body.subarray(0, cut));
			reading.reader.push(body.subarray(cut));
			reading.reader.end();
			expect(reading.texts).toEqual(texts);
			expect(reading.error).toBeUndefined();
		}
	});

	test("are the same byte by byte", () => {
		const reading = new Reading(1000, "gzip");
		for (const byte of body) reading.reader.push(Buffer.of(byte));
		reading.reader.end();
		expect(reading.texts).toEqual(texts);
	});

	test("are delivered as soon as they are complete", () => {
		const reading = new Reading();
		reading.reader.push(frame("one").subarray(0, 7));
		expect(reading.texts).toEqual([]);
		reading.reader.push(frame("one").subarray(7));
		expect(reading.texts).toEqual(["one"]);
		expect(reading.isOver).toBe(false);
	});

	test("any messages in any chunks are delivered complete, in order, and end", async () => {
		const random = seeded(5);
		for (let round = 0; round < 300; round++) {
			const sent = Array.from({ length: between(random, 0, 8) }, () =>
				noise(between(random, 0, random() < 0.1 ? 40_000 : 60)),
			);
			const bytes = Buffer.concat(
				sent.map((message) =>
					random() < 0.5 ? gzipped(message) : frame(message),
				),
			);
			const reading = new Reading(40_000, "gzip");
			for (let at = 0; at < bytes.length; ) {
				const next = at + between(random, 1, random() < 0.5 ? 7 : 50_000);
				reading.reader.push(bytes.subarray(at, next));
				at = next;
				if (random() < 0.3) reading.reader.hold();
				if (random() < 0.3) reading.reader.release();
			}
			reading.reader.release();
			reading.reader.end();
			await reading.ended;
			expect(reading.error).toBeUndefined();
			expect(reading.messages.length).toBe(sent.length);
			expect(Buffer.concat(reading.messages)).toEqual(Buffer.concat(sent));
		}
	});

	test("random bytes fail it only by `malformed`", async () => {
		const random = seeded(6);
		for (let round = 0; round < 2000; round++) {
			const reading = new Reading(1000, random() < 0.5 ? "gzip" : undefined);
			for (let chunk = 0; chunk < 5; chunk++) {
				const bytes = noise(between(random, 0, 20));
				// Mostly plausible prefixes, to get beyond them.
				if (random() < 0.8) bytes.subarray(0, 4).fill(0);
				if (random() < 0.3) bytes.subarray(0, 1).fill(1);
				reading.reader.push(bytes);
			}
			reading.reader.end();
			await reading.ended;
		}
	});
});

describe("the limit", () => {
	test("a message of exactly the limit passes, one byte more does not", () => {
		const just = new Reading(100);
		just.reader.push(frame(noise(100)));
		expect(just.messages).toHaveLength(1);

		const beyond = new Reading(100);
		beyond.reader.push(frame(noise(101)));
		expect(beyond.messages).toHaveLength(0);
		expect(beyond.error).toEqual({
			code: Code.ResourceExhausted,
			message: "received a message of 101 bytes, more than the limit of 100",
		});
	});

	test("is compared with the announced length, before anything is buffered", () => {
		const reading = new Reading(100);
		reading.reader.push(frame("", { length: 0xffffffff }));
		expect(reading.error?.code).toBe(Code.ResourceExhausted);
		expect(reading.error?.message).toContain("4294967295 bytes");
	});

	test.each([
		["at once", 200, 100],
		["on another thread", 200_000, 100_000],
	])("is held against what a message inflates to, %s", async (_, size, max) => {
		const message = Buffer.concat([noise(max / 2), Buffer.alloc(size)]);
		const exact = new Reading(message.length, "gzip");
		exact.reader.push(gzipped(message));
		exact.reader.end();
		await exact.ended;
		expect(exact.messages[0]).toEqual(message);

		const beyond = new Reading(message.length - 1, "gzip");
		beyond.reader.push(gzipped(message));
		await beyond.ended;
		expect(beyond.error).toEqual({
			code: Code.ResourceExhausted,
			message: `received a message that inflates to more than the limit of ${message.length - 1} bytes`,
		});
	});

	test("stops the inflation of a bomb", async () => {
		const reading = new Reading(1 << 20, "gzip");
		reading.reader.push(gzipped(Buffer.alloc(100 << 20)));
		await reading.ended;
		expect(reading.error?.code).toBe(Code.ResourceExhausted);
	});
});

describe("bad bytes", () => {
	test.each([2, 3, 0x80, 0xff])("the flags %d are INTERNAL", (flag) => {
		const reading = new Reading();
		reading.reader.push(frame("", { flag }));
		expect(reading.error?.code).toBe(Code.Internal);
		expect(reading.error?.message).toContain(`0x${flag.toString(16)}`);
	});

	test.each([undefined, "identity"])(
		"a compressed message with the encoding %s is INTERNAL",
		(encoding) => {
			const reading = new Reading(1000, encoding);
			reading.reader.push(gzipped("x"));
			expect(reading.error).toEqual({
				code: Code.Internal,
				message: "received a compressed message without a grpc-encoding",
			});
		},
	);

	test("a message with another compression is INTERNAL, and the error names it", () => {
		const reading = new Reading(1000, "snappy");
		reading.reader.push(gzipped("x"));
		expect(reading.error).toEqual({
			code: Code.Internal,
			message:
				'received a message compressed with "snappy": only gzip is accepted',
		});
	});

	test("with any encoding, messages may be uncompressed", () => {
		const reading = new Reading(1000, "snappy");
		reading.reader.push(frame("plain"));
		expect(reading.texts).toEqual(["plain"]);
	});

	test.each([
		["at once", Buffer.from("not gzip")],
		["on another thread", noise(AT_ONCE_BYTES + 1)],
	])("what is called gzip and is not is INTERNAL, %s", async (_, bytes) => {
		const reading = new Reading(1 << 20, "gzip");
		reading.reader.push(frame(bytes, { flag: 1 }));
		await reading.ended;
		expect(reading.error?.code).toBe(Code.Internal);
		expect(reading.error?.message).toContain("malformed gzip data");
	});

	test.each([
		[frame("hello").subarray(0, 3), "3 of at least 5 bytes"],
		[frame("hello").subarray(0, 9), "9 of 10 bytes"],
	])("an end inside a message is INTERNAL", (bytes, amount) => {
		const reading = new Reading();
		reading.reader.push(frame("whole"));
		reading.reader.push(bytes);
		reading.reader.end();
		expect(reading.texts).toEqual(["whole"]);
		expect(reading.error?.code).toBe(Code.Internal);
		expect(reading.error?.message).toContain(amount);
	});

	test("are followed by nothing", () => {
		const reading = new Reading(100);
		reading.reader.push(
			Buffer.concat([frame("one"), frame("", { flag: 9 }), frame("two")]),
		);
		reading.reader.push(frame("three"));
		reading.reader.end();
		expect(reading.texts).toEqual(["one"]);
		expect(reading.error?.code).toBe(Code.Internal);
	});
});

describe("hold", () => {
	test("pauses the stream and the messages until release", () => {
		const reading = new Reading();
		reading.reader.hold();
		expect(reading.paused).toBe(true);
		reading.reader.push(Buffer.concat([frame("one"), frame("two")]));
		reading.reader.end();
		expect(reading.texts).toEqual([]);
		expect(reading.isOver).toBe(false);

		reading.reader.release();
		expect(reading.texts).toEqual(["one", "two"]);
		expect(reading.isOver).toBe(true);
	});

	test("between two messages of one chunk holds the second one back", () => {
		const reading = new Reading();
		reading.onMessage = () => reading.reader.hold();
		reading.reader.push(Buffer.concat([frame("one"), frame("two")]));
		expect(reading.texts).toEqual(["one"]);
		reading.reader.release();
		expect(reading.texts).toEqual(["one", "two"]);
		expect(reading.paused).toBe(true);
	});

	test("and release resume the stream once all messages are delivered", () => {
		const reading = new Reading();
		reading.reader.hold();
		reading.reader.release();
		expect(reading.paused).toBe(false);
		reading.reader.push(frame("one"));
		expect(reading.texts).toEqual(["one"]);
	});

	test("and release during the delivery of a message leave the stream running", () => {
		const reading = new Reading();
		reading.onMessage = () => {
			reading.reader.hold();
			reading.reader.release();
		};
		reading.reader.push(Buffer.concat([frame("one"), frame("two")]));
		expect(reading.texts).toEqual(["one", "two"]);
		expect(reading.paused).toBe(false);
	});
});

describe("inflating on another thread", () => {
	const large = noise(AT_ONCE_BYTES * 2);

	test("is for messages that become large, however small they are compressed, and whatever size they announce", async () => {
		const zeros = Buffer.alloc(4 << 20);
		const lying = gzipped(zeros);
		lying.writeUInt32LE(100, lying.length - 4);
		for (const bytes of [gzipped(zeros), lying]) {
			const reading = new Reading(4 << 20, "gzip");
			reading.reader.push(bytes);
			expect(reading.gzip.inflations.counts.underWay).toBe(1);
			reading.reader.end();
			await reading.ended;
			// zlib holds what it says against what it is.
			expect(reading.messages.length).toBe(bytes === lying ? 0 : 1);
		}
		const small = new Reading(4 << 20, "gzip");
		small.reader.push(gzipped(Buffer.alloc(AT_ONCE_BYTES)));
		expect(small.messages).toHaveLength(1);
	});

	test("counts the memory of waiting compressed messages, and nothing once the reader is stopped", () => {
		const reading = new Reading(1 << 20, "gzip");
		const bytes = gzipped(large);
		reading.reader.push(Buffer.concat([bytes, bytes.subarray(0, 100)]));
		const least = bytes.length - 5 + 100;
		expect(reading.reader.waitingBytes).toBeGreaterThanOrEqual(least);
		expect(reading.reader.waitingBytes).toBeLessThan(least + 1000);
		reading.reader.stop();
		expect(reading.reader.waitingBytes).toBe(0);
	});

	test("pauses the stream meanwhile, and keeps the order", async () => {
		const reading = new Reading(1 << 20, "gzip");
		reading.reader.push(
			Buffer.concat([gzipped(large), frame("small"), gzipped(large)]),
		);
		expect(reading.paused).toBe(true);
		expect(reading.messages).toHaveLength(0);
		reading.reader.end();
		await reading.ended;
		expect(reading.messages).toEqual([large, Buffer.from("small"), large]);
	});

	test("resumes the stream afterwards", async () => {
		const reading = new Reading(1 << 20, "gzip");
		const first = new Promise<void>((resolve) => {
			reading.onMessage = resolve;
		});
		reading.reader.push(gzipped(large));
		await first;
		await Promise.resolve();
		expect(reading.paused).toBe(false);
	});

	test("does not resume the stream while the reader is held", async () => {
		const reading = new Reading(1 << 20, "gzip");
		reading.reader.push(Buffer.concat([gzipped(large), frame("small")]));
		reading.reader.hold();
		await new Promise<void>((resolve) => {
			reading.onMessage = resolve;
		});
		await Promise.resolve();
		expect(reading.paused).toBe(true);
		expect(reading.messages).toEqual([large]);
		reading.reader.release();
		expect(reading.messages).toEqual([large, Buffer.from("small")]);
	});

	test("keeps the stream paused when the reader is released meanwhile", async () => {
		const reading = new Reading(1 << 20, "gzip");
		reading.reader.push(gzipped(large));
		reading.reader.hold();
		reading.reader.release();
		expect(reading.paused).toBe(true);
		await new Promise<void>((resolve) => {
			reading.onMessage = resolve;
		});
		expect(reading.paused).toBe(false);
	});

	test("is abandoned when the reader is stopped", async () => {
		const reading = new Reading(1 << 20, "gzip");
		reading.reader.push(gzipped(large));
		expect(reading.gzip.inflations.counts.underWay).toBe(1);
		reading.reader.stop();
		expect(reading.gzip.inflations.counts).toEqual({
			underWay: 0,
			bytes: 0,
			waiting: 0,
		});
		const other = new Reading(1 << 20, "gzip");
		other.reader.push(gzipped(large));
		other.reader.end();
		await other.ended;
		expect(reading.messages).toHaveLength(0);
		expect(reading.isOver).toBe(false);
	});
});

test("a reader that was stopped delivers nothing", () => {
	const reading = new Reading();
	reading.onMessage = () => reading.reader.stop();
	reading.reader.push(Buffer.concat([frame("one"), frame("two")]));
	reading.reader.push(frame("three"));
	reading.reader.end();
	expect(reading.texts).toEqual(["one"]);
	expect(reading.isOver).toBe(false);
});

describe("memory", () => {
	/** What a reader delivers, in the memory that it lies in. */
	function delivered(chunks: readonly Buffer[], held: boolean): Uint8Array[] {
		const messages: Uint8Array[] = [];
		const reader = new MessageReader(
			{
				encoding: undefined,
				pause() {},
				resume() {},
				message: (message) => messages.push(message),
				messagesEnd() {},
				malformed() {},
			},
			64 << 20,
			new GzipTurns().inflations,
		);
		if (held) reader.hold();
		for (const chunk of chunks) reader.push(chunk);
		reader.release();
		return messages;
	}

	test("of a message in pieces is that of its bytes, without its chunks", () => {
		const bytes = frame(noise(10_000));
		const pieces = [...bytes].map((_, i) => bytes.subarray(i, i + 1));
		const [message] = delivered(pieces, false);
		expect(message?.length).toBe(10_000);
		expect(message?.buffer.byteLength).toBe(bytes.length);
	});

	test("of waiting messages is in proportion to their bytes, however small their chunks are", () => {
		const bytes = Buffer.concat(
			Array.from({ length: 1000 }, () => frame("1234567890")),
		);
		const pieces = [...bytes].map((_, i) => bytes.subarray(i, i + 1));
		const messages = delivered(pieces, true);
		expect(messages).toHaveLength(1000);
		const buffers = new Set(messages.map(({ buffer }) => buffer));
		const kept = [...buffers].reduce((sum, one) => sum + one.byteLength, 0);
		expect(kept).toBeLessThanOrEqual(2 * bytes.length);
	});

	test("of an incomplete message does not keep a large chunk alive", () => {
		const slab = Buffer.alloc(64 * 1024);
		const first = slab.subarray(0, 6);
		first.set(frame("12").subarray(0, 6));
		const [message] = delivered([first, Buffer.from("2")], false);
		expect(String(Buffer.from(message ?? []))).toBe("12");
		expect(message?.buffer.byteLength).toBeLessThan(100);
	});

	test("a message that is complete in its chunk is not copied", () => {
		const chunk = Buffer.concat([frame("one"), frame("two")]);
		for (const message of delivered([chunk], false)) {
			expect(message.buffer).toBe(chunk.buffer);
		}
	});
});

test("a message of many chunks is joined once, not once a chunk", () => {
	const reading = new Reading(64 << 20);
	const bytes = frame(Buffer.alloc(32 << 20));
	const started = performance.now();
	for (let at = 0; at < bytes.length; at += 1024) {
		reading.reader.push(bytes.subarray(at, at + 1024));
	}
	expect(reading.messages).toHaveLength(1);
	// Joined for each of its 32,768 chunks it would take minutes.
	expect(performance.now() - started).toBeLessThan(5000);
});
