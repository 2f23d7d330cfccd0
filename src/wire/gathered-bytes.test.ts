import { describe, expect, test } from "vitest";
import { between, seeded } from "../../testdata/harness/seeded.ts";
import { GatheredBytes } from "./gathered-bytes.ts";

describe("gathered bytes", () => {
	test("come out as they went in, in whatever pieces they arrive", () => {
		const random = seeded(7);
		const gathered = new GatheredBytes();
		const sent: number[] = [];
		const taken: number[] = [];
		for (let i = 0; i < 2000; i++) {
			const piece = Uint8Array.from(
				{ length: between(random, 0, 40) },
				() => random() * 256,
			);
			sent.push(...piece);
			gathered.append(piece, between(random, 0, 100));
			const count = between(random, 0, gathered.length);
			taken.push(...gathered.take(count));
		}
		taken.push(...gathered.take(gathered.length));
		expect(taken).toEqual(sent);
	});

	test("that were taken are not overwritten", () => {
		const gathered = new GatheredBytes();
		gathered.append(Uint8Array.of(1, 2, 3), 3);
		const first = gathered.take(2);
		for (let i = 0; i < 1000; i++) gathered.append(Uint8Array.of(9), 0);
		expect([...first]).toEqual([1, 2]);
	});

	test("take the memory that is needed in total once a quarter of it has arrived", () => {
		const gathered = new GatheredBytes();
		gathered.append(new Uint8Array(250), 1000);
		gathered.append(new Uint8Array(750), 1000);
		expect(gathered.take(1000).buffer.byteLength).toBe(1000);
	});

	test("take at most four times their own length before that", () => {
		const gathered = new GatheredBytes();
		gathered.append(new Uint8Array(250), 1_000_000_000);
		expect(gathered.take(250).buffer.byteLength).toBe(1000);
	});
});
