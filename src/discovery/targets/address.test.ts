import { expect, test } from "vitest";
import { formatAddress, parseAddress } from "./address.ts";

test.each<[string, ReturnType<typeof parseAddress>, string?]>([
	["10.0.0.1:50051", { kind: "tcp", host: "10.0.0.1", port: 50051 }],
	["[::1]:1", { kind: "tcp", host: "::1", port: 1 }],
	["[0::1]:1", { kind: "tcp", host: "::1", port: 1 }, "[::1]:1"],
	["unix:80", { kind: "unix", path: "80" }],
	["unix:/run/x y.sock", { kind: "unix", path: "/run/x y.sock" }],
	["unix-abstract:x", { kind: "unix", path: "\0x" }],
	["unix-abstract:x\0y", { kind: "unix", path: "\0x\0y" }],
])("%j is read, and formatted in one way", (text, address, written = text) => {
	expect(parseAddress(text, "a")).toEqual(address);
	expect(formatAddress(address)).toBe(written);
});

test.each<[string, string]>([
	["host", "a: has no port"],
	["http://host:1", "a: "],
	["unix:", "a: names no socket; write one, as in unix:/run/x.sock"],
	["unix-abstract:", "a: names no socket; write one, as in unix-abstract:x"],
	["unix:/a\0b", "a: has a NUL in its path"],
	[`unix:/${"ü".repeat(54)}`, "a: has a path of more than 107 bytes"],
	[`unix-abstract:${"x".repeat(107)}`, "a: has a path of more than 107 bytes"],
])("%j is refused: %s", (text, message) => {
	expect(() => parseAddress(text, "a")).toThrow(message);
});

test("the path of a socket may have 107 bytes", () => {
	expect(parseAddress(`unix:${"x".repeat(107)}`, "a").kind).toBe("unix");
});
