import { expect, test } from "vitest";
import { headerOf } from "./headers.ts";

test("a header is found by its name, never by a value that equals it", () => {
	const headers = ["x-a", "grpc-status", "grpc-status", "0"];
	expect(headerOf(headers, "grpc-status")).toBe("0");
	expect(headerOf(headers, "0")).toBeUndefined();
	expect(headerOf([], "x-a")).toBeUndefined();
});

test("of a repeated header, the first counts", () => {
	expect(headerOf(["x-a", "1", "x-a", "2"], "x-a")).toBe("1");
});
