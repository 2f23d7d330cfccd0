import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { appendMetadata, headerBytes, toHeaders } from "./metadata.ts";

/** What `metadata` is on the wire, and what was dropped. */
function encoded(metadata: HeadersInit): { wire: string[]; dropped: string[] } {
	const wire: string[] = [];
	const dropped: string[] = [];
	appendMetadata(wire, new Headers(metadata), (name) => dropped.push(name));
	return { wire, dropped };
}

describe("appendMetadata", () => {
	test.each([
		["caf\u00e9", 'value of "x-name" in the metadata has U+00E9 at index 3'],
		["a\tb", 'value of "x-name" in the metadata has U+0009 at index 1'],
		["\u007f", 'value of "x-name" in the metadata has U+007F at index 0'],
	])("refuses %j, which ASCII metadata cannot hold, by name", (value, text) => {
		const append = () =>
			appendMetadata([], new Headers({ "x-name": value }), undefined);
		expect(append).toThrow(text);
		expect(append).toThrow(expect.objectContaining({ code: Code.Internal }));
	});

	test("accepts UTF-8 in the metainfo of Kitex", () => {
		const value = Buffer.from("租户").toString("latin1");
		const names = ["rpc-persist-a", "rpc-transit-a", "rpc-backward-a"];
		const onto: string[] = [];
		for (const name of names) {
			appendMetadata(onto, new Headers({ [name]: value }), undefined);
		}
		expect(onto).toEqual(names.flatMap((name) => [name, value]));
		for (const bad of [
			new Headers({ "rpc-persist-a": "\x7f" }),
			new Headers({ "rpc-other-a": value }),
		]) {
			expect(() => appendMetadata([], bad, undefined)).toThrow(/U\+00/);
		}
	});

	test("accepts everything that is printable, and empty values", () => {
		const all = String.fromCharCode(
			...Array.from({ length: 95 }, (_, i) => 32 + i),
		);
		const onto: string[] = [];
		appendMetadata(onto, new Headers({ a: `.${all}.`, b: "" }), undefined);
		expect(onto).toEqual(["a", `.${all}.`, "b", ""]);
	});

	test("appends to the existing headers", () => {
		const onto = [":path", "/"];
		appendMetadata(onto, new Headers({ a: "1" }), undefined);
		expect(onto).toEqual([":path", "/", "a", "1"]);
	});

	test("repeated ASCII values are one field, joined by commas, as Headers holds them", () => {
		const { wire } = encoded([
			["X-Key", "one"],
			["x-key", "two"],
		]);
		expect(wire).toEqual(["x-key", "one, two"]);
	});

	test("an ASCII value that contains commas stays one value", () => {
		expect(encoded({ "x-key": "a,b" }).wire).toEqual(["x-key", "a,b"]);
	});

	test("binary values are sent unpadded", () => {
		expect(encoded({ "x-bin": "YQ==" }).wire).toEqual(["x-bin", "YQ"]);
		expect(encoded({ "x-bin": "YWI=" }).wire).toEqual(["x-bin", "YWI"]);
		expect(encoded({ "x-bin": "YWJj" }).wire).toEqual(["x-bin", "YWJj"]);
	});

	test("each of several binary values is a field of its own", () => {
		const { wire } = encoded([
			["x-bin", "YQ=="],
			["x-bin", "Yg"],
			["x-bin", "YWJj,YWI="],
		]);
		expect(wire).toEqual(
			["YQ", "Yg", "YWJj", "YWI"].flatMap((value) => ["x-bin", value]),
		);
	});

	test("an empty binary value stays a value", () => {
		expect(encoded({ "x-bin": "" }).wire).toEqual(["x-bin", ""]);
	});

	test.each([
		"te",
		"host",
		"content-type",
		"content-length",
		"user-agent",
		"connection",
		"keep-alive",
		"proxy-connection",
		"transfer-encoding",
		"upgrade",
		"http2-settings",
		"grpc-timeout",
		"grpc-encoding",
		"grpc-accept-encoding",
		"grpc-status",
		"grpc-message",
	])("%s belongs to HTTP/2 or gRPC: it is dropped, and told", (name) => {
		expect(encoded({ [name.toUpperCase()]: "1", "x-other": "2" })).toEqual({
			wire: ["x-other", "2"],
			dropped: [name],
		});
	});

	test("reserved names are dropped even if nobody is told", () => {
		const wire: string[] = [];
		appendMetadata(wire, new Headers({ te: "gzip" }), undefined);
		expect(wire).toEqual([]);
	});

	test("other names that begin with grpc- are kept", () => {
		const names = {
			"grpc-retry-pushback-ms": "5",
			"grpc-previous-rpc-attempts": "1",
			"grpc-status-details-bin": "CAU",
			"grpc-trace-bin": "AAA",
			authorization: "Bearer x",
		};
		expect(encoded(names).dropped).toEqual([]);
		expect(encoded(names).wire).toHaveLength(10);
	});
});

describe("toHeaders", () => {
	test("leaves out pseudo-headers", () => {
		const headers = toHeaders([":status", "200", "x-a", "1"]);
		expect([...headers]).toEqual([["x-a", "1"]]);
	});

	test("keeps all values of a repeated name, in order", () => {
		const headers = toHeaders(["x-a", "1", "x-b", "2", "x-a", "3"]);
		expect(headers.get("x-a")).toBe("1, 3");
	});

	test("binary values are the same whether they are joined on the wire or not", () => {
		const joined = toHeaders(["x-bin", "YQ==,Yg , YWJj"]);
		const apart = toHeaders(["x-bin", "YQ==", "x-bin", "Yg", "x-bin", "YWJj"]);
		expect(joined.get("x-bin")).toBe("YQ==, Yg, YWJj");
		expect(apart.get("x-bin")).toBe("YQ==, Yg, YWJj");
	});

	test("several blocks become one, in order", () => {
		const headers = toHeaders(["x-a", "1"], ["x-a", "2", "x-b", "3"]);
		expect(headers.get("x-a")).toBe("1, 2");
		expect(headers.get("x-b")).toBe("3");
	});

	test("keeps bytes beyond ASCII as they are on the wire", () => {
		expect(toHeaders(["x-a", "caf\u00e9"]).get("x-a")).toBe("caf\u00e9");
	});
});

test("headers are measured as in HTTP/2: 32 bytes for each pair, and its text", () => {
	expect(headerBytes([])).toBe(0);
	expect(headerBytes(["a", "", "name", "value"])).toBe(64 + 10);
});
