import type { Http2Stream } from "node:http2";
import { describe, expect, test } from "vitest";
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

const tick = (): Promise<void> =>
	new Promise((resolve) => setImmediate(resolve));

describe("small writes", () => {
	test("leave together at the end of the tick", async () => {
		const noted = new Noted();
		const box = outbox(noted);
		for (let i = 0; i < 3; i++) box.write(Buffer.alloc(10));
		expect(noted.done).toEqual([]);
		await tick();
		box.write(Buffer.alloc(7));
		await tick();
		expect(noted.done).toEqual(["write 30", "write 7"]);
	});

	test("keep their order and their bytes", async () => {
		const written: Uint8Array[] = [];
		const noted = new Noted();
		noted.write = (chunk) => written.push(chunk) > 0;
		const box = outbox(noted);
		for (const text of ["one ", "two ", "three"]) box.write(Buffer.from(text));
		await tick();
		expect(String(Buffer.concat(written))).toBe("one two three");
	});
});

test("32 KiB leave at once", async () => {
	const noted = new Noted();
	const box = outbox(noted);
	box.write(Buffer.alloc(KIB));
	box.write(Buffer.alloc(31 * KIB));
	expect(noted.done).toEqual([`write ${32 * KIB}`]);
	await tick();
	expect(noted.done).toHaveLength(1);
});

test("what is too large to copy together leaves corked", () => {
	const noted = new Noted();
	const box = outbox(noted);
	box.write(Buffer.alloc(10));
	box.write(Buffer.alloc(64 * KIB));
	expect(noted.done).toEqual([
		"cork",
		"write 10",
		`write ${64 * KIB}`,
		"uncork",
	]);
});

describe("a full stream", () => {
	test("is told by every write until it has drained", async () => {
		const noted = new Noted(32 * KIB);
		const box = outbox(noted);
		expect(box.write(Buffer.alloc(KIB))).toBe(true);
		expect(box.write(Buffer.alloc(32 * KIB))).toBe(false);
		expect(box.write(Buffer.alloc(1))).toBe(false);
		box.drained();
		expect(box.write(Buffer.alloc(1))).toBe(true);
	});

	test("is noticed where only one of several parts met it", () => {
		const noted = new Noted(70 * KIB);
		const box = outbox(noted);
		box.write(Buffer.alloc(30 * KIB));
		expect(box.write(Buffer.alloc(60 * KIB))).toBe(false);
	});
});

describe("the end", () => {
	test("comes after what was written, with the last bytes", () => {
		const noted = new Noted();
		const box = outbox(noted);
		box.write(Buffer.alloc(10));
		box.end(Buffer.alloc(5));
		expect(noted.done).toEqual(["write 10", "end 5"]);
	});

	test("may have no bytes of its own", () => {
		const noted = new Noted();
		outbox(noted).end(undefined);
		expect(noted.done).toEqual(["end 0"]);
	});
});

test.each(["destroyed", "closed"] as const)(
	"nothing goes onto a stream that is %s",
	async (how) => {
		const noted = new Noted();
		const box = outbox(noted);
		box.write(Buffer.alloc(10));
		noted[how] = true;
		await tick();
		box.write(Buffer.alloc(64 * KIB));
		box.end(Buffer.alloc(1));
		resetStream(noted as unknown as Http2Stream, 8);
		expect(noted.done).toEqual([]);
	},
);

test("a reset does not end the stream first", () => {
	const noted = new Noted();
	resetStream(noted as unknown as Http2Stream, 8);
	expect(noted.done).toEqual(["close 8"]);
});
