import type { Http2Stream } from "node:http2";
import { describe, expect, test } from "vitest";
import { frame } from "../../../testdata/harness/http2-server.ts";
import { PREFIX_BYTES } from "../message-frame.ts";
import { Outbox, resetStream } from "./outbox.ts";

const KIB = 1024;

/** A stream that notes what is written to it, and is full from so many bytes on. */
class Noted {
	readonly done: string[] = [];
	destroyed = false;
	closed = false;
	#room: number;

	constructor(room = Infinity) {
		this.#room = room;
	}

	write(chunk: Uint8Array): boolean {
		this.done.push(`write ${chunk.length}`);
		this.#room -= chunk.length;
		return this.#room > 0;
	}

	end(chunk?: Uint8Array): void {
		this.done.push(`end ${chunk?.length ?? 0}`);
	}

	cork(): void {
		this.done.push("cork");
	}

	uncork(): void {
		this.done.push("uncork");
	}

	close(code: number): void {
		this.end();
		this.closed = true;
		this.done.push(`close ${code}`);
	}
}

function outbox(noted: Noted): Outbox {
	return new Outbox(noted as unknown as Http2Stream);
}

/** A message that takes so many bytes with its prefix. */
function message(bytes: number): Uint8Array {
	return new Uint8Array(bytes - PREFIX_BYTES);
}

const tick = (): Promise<void> =>
	new Promise((resolve) => setImmediate(resolve));

describe("small writes", () => {
	test("leave together at the end of the tick", async () => {
		const noted = new Noted();
		const box = outbox(noted);
		for (let i = 0; i < 3; i++) box.write(message(10), false);
		expect(noted.done).toEqual([]);
		await tick();
		box.write(message(7), false);
		await tick();
		expect(noted.done).toEqual(["write 30", "write 7"]);
	});

	test("keep their order and their bytes", async () => {
		const written: Uint8Array[] = [];
		const noted = new Noted();
		noted.write = (chunk) => written.push(chunk) > 0;
		const box = outbox(noted);
		box.write(Buffer.from("one"), false);
		box.write(Buffer.from("two"), true);
		box.write(Buffer.from("three"), false);
		await tick();
		expect(Buffer.concat(written)).toEqual(
			Buffer.concat([frame("one"), frame("two", 1), frame("three")]),
		);
	});
});

test("32 KiB leave at once", async () => {
	const noted = new Noted();
	const box = outbox(noted);
	box.write(message(KIB), false);
	box.write(message(31 * KIB), false);
	expect(noted.done).toEqual([`write ${32 * KIB}`]);
	await tick();
	expect(noted.done).toHaveLength(1);
});

test("messages too large to copy together are written one by one, corked", () => {
	const noted = new Noted();
	const box = outbox(noted);
	box.write(message(10), false);
	box.write(message(64 * KIB), false);
	expect(noted.done).toEqual([
		"cork",
		"write 10",
		`write ${64 * KIB}`,
		"uncork",
	]);
});

describe("a full stream", () => {
	test("is reported by every write until it has drained", async () => {
		const noted = new Noted(32 * KIB);
		const box = outbox(noted);
		expect(box.write(message(KIB), false)).toBe(true);
		expect(box.write(message(32 * KIB), false)).toBe(false);
		expect(box.write(message(5), false)).toBe(false);
		box.drained();
		expect(box.write(message(5), false)).toBe(true);
	});

	test("is noticed if only one of several writes met it", () => {
		const noted = new Noted(70 * KIB);
		const box = outbox(noted);
		box.write(message(30 * KIB), false);
		expect(box.write(message(60 * KIB), false)).toBe(false);
	});
});

describe("the end", () => {
	test("leaves with the messages of its tick", async () => {
		const noted = new Noted();
		const box = outbox(noted);
		box.write(message(10), false);
		box.write(message(6), false);
		box.end();
		await tick();
		expect(noted.done).toEqual(["end 16"]);
	});

	test("comes after messages that are too large to copy together", () => {
		const noted = new Noted();
		const box = outbox(noted);
		box.write(message(31 * KIB), false);
		box.write(message(64 * KIB), false);
		box.end();
		expect(noted.done.slice(1)).toEqual([
			`write ${31 * KIB}`,
			`write ${64 * KIB}`,
			"uncork",
			"end 0",
		]);
	});

	test("may be without messages", () => {
		const noted = new Noted();
		outbox(noted).end();
		expect(noted.done).toEqual(["end 0"]);
	});
});

test.each(["destroyed", "closed"] as const)(
	"nothing is written to a stream that is %s",
	async (how) => {
		const noted = new Noted();
		const box = outbox(noted);
		box.write(message(10), false);
		noted[how] = true;
		await tick();
		box.write(message(64 * KIB), false);
		box.end();
		resetStream(noted as unknown as Http2Stream, 8);
		expect(noted.done).toEqual([]);
	},
);

test("a reset does not end the stream first", () => {
	const noted = new Noted();
	resetStream(noted as unknown as Http2Stream, 8);
	expect(noted.done).toEqual(["close 8"]);
});
