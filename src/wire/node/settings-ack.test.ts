import { describe, expect, test } from "vitest";
import { SettingsAck } from "./settings-ack.ts";

function frame(type: number, flags: number, payload = ""): Buffer {
	const header = Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, 0]);
	return Buffer.concat([header, Buffer.from(payload)]);
}

const ACK = frame(4, 1);
const BEFORE = Buffer.concat([
	Buffer.from("preface"),
	frame(4, 0, "settings that are none of ours"),
	frame(1, 4, "headers"),
	frame(0, 1),
]);
const AFTER = Buffer.concat([ACK, frame(0, 0, "\0\0\0\x04\x01\0\0\0\0"), ACK]);

describe("the first acknowledgement of SETTINGS", () => {
	test("is removed, and nothing else, wherever the bytes are cut", () => {
		const bytes = Buffer.concat([BEFORE, ACK, AFTER]);
		for (let i = 0; i <= bytes.length; i++) {
			for (let k = i; k <= bytes.length; k++) {
				const ack = new SettingsAck("preface".length);
				const pieces = [
					bytes.subarray(0, i),
					bytes.subarray(i, k),
					bytes.subarray(k),
				];
				const left = pieces.map((piece) => ack.takeOutOf(piece));
				expect(ack.found).toBe(true);
				expect(Buffer.concat(left).equals(Buffer.concat([BEFORE, AFTER]))).toBe(
					true,
				);
			}
		}
	});

	test("is not found in the payload of a frame", () => {
		const ack = new SettingsAck(0);
		const data = frame(0, 0, ACK.toString("latin1"));
		expect(ack.takeOutOf(data).equals(data)).toBe(true);
		expect(ack.found).toBe(false);
	});

	test("is not removed if it is malformed", () => {
		const ack = new SettingsAck(0);
		const malformed = frame(4, 1, "payload");
		expect(ack.takeOutOf(malformed).equals(malformed)).toBe(true);
		expect(ack.found).toBe(false);
	});
});
