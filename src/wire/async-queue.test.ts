import { describe, expect, test, vi } from "vitest";
import { RequestStream } from "./request-stream.ts";

function stream() {
	const source = {
		decode: (bytes: Uint8Array): unknown => {
			if (bytes[0] === 0xff) throw new Error("malformed");
			return bytes.length;
		},
		hold: vi.fn(),
		release: vi.fn(),
	};
	return { source, requests: new RequestStream(source) };
}

const bytes = (length: number): Uint8Array => new Uint8Array(length);
const done = { done: true, value: undefined };

describe("a stream of requests", () => {
	test("gives each request, in order, and then ends", async () => {
		const { requests } = stream();
		requests.push(bytes(1));
		requests.push(bytes(2));
		requests.end();
		const lengths: unknown[] = [];
		for await (const length of requests) lengths.push(length);
		expect(lengths).toEqual([1, 2]);
		expect(await requests.next()).toEqual(done);
	});

	test("answers several who ask at once, in their order", async () => {
		const { requests } = stream();
		const asked = [requests.next(), requests.next(), requests.next()];
		requests.push(bytes(1));
		requests.push(bytes(2));
		requests.end();
		expect(await Promise.all(asked)).toEqual([
			{ done: false, value: 1 },
			{ done: false, value: 2 },
			done,
		]);
	});

	test("keeps nothing of the large chunks that requests came in, while they wait", async () => {
		const { source, requests } = stream();
		const decode = vi.spyOn(source, "decode");
		const chunk = new Uint8Array(64 * 1024).fill(7);
		requests.push(chunk.subarray(100, 110));
		await requests.next();
		const [waited] = decode.mock.calls[0] as [Uint8Array];
		expect([...waited]).toEqual(Array(10).fill(7));
		expect(waited.buffer.byteLength).toBeLessThan(1000);
	});

	test("holds its source from 64 KiB on, and releases it when half of that has been taken", async () => {
		const { source, requests } = stream();
		for (let i = 0; i < 6; i++) requests.push(bytes(10_000));
		expect(source.hold).not.toHaveBeenCalled();
		requests.push(bytes(10_000));
		requests.push(bytes(10_000));
		expect(source.hold).toHaveBeenCalledTimes(1);
		for (let i = 0; i < 4; i++) await requests.next();
		expect(source.release).not.toHaveBeenCalled();
		await requests.next();
		expect(source.release).toHaveBeenCalledTimes(1);
	});

	test("holds its source, too, for plenty of requests that are empty", () => {
		const { source, requests } = stream();
		for (let i = 0; i < 2000; i++) requests.push(bytes(0));
		expect(source.hold).toHaveBeenCalledTimes(1);
	});

	test("drops, and stops holding, what a handler does not want", async () => {
		const { source, requests } = stream();
		requests.push(bytes(100_000));
		expect(source.hold).toHaveBeenCalledTimes(1);
		for await (const _ of requests) {
			requests.push(bytes(100_000));
			break;
		}
		expect(source.release).toHaveBeenCalledTimes(2);
		for (let i = 0; i < 10; i++) requests.push(bytes(100_000));
		expect(source.hold).toHaveBeenCalledTimes(2);
		expect(await requests.next()).toEqual(done);
	});

	test("throws a failure at whoever asks, before and after, and drops what waits", async () => {
		const { requests } = stream();
		const asked = requests.next();
		const failure = new Error("gone");
		requests.fail(failure);
		await expect(asked).rejects.toBe(failure);
		requests.push(bytes(1));
		await expect(requests.next()).rejects.toBe(failure);

		const late = stream().requests;
		late.push(bytes(1));
		late.fail(failure);
		await expect(late.next()).rejects.toBe(failure);
	});

	test("throws at a malformed request, taken at once or later", async () => {
		const { requests } = stream();
		const asked = requests.next();
		requests.push(new Uint8Array([0xff]));
		await expect(asked).rejects.toThrow("malformed");
		requests.push(new Uint8Array([0xff]));
		await expect(requests.next()).rejects.toThrow("malformed");
	});
});
