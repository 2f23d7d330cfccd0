import { expect, test } from "vitest";
import { isGrpc } from "./content-type.ts";

test.each([
	["application/grpc", true],
	["application/grpc+proto", true],
	["application/grpc; charset=utf-8", true],
	["application/grpc+proto ;x", true],
	["application/grpc+json", false],
	["application/grpc-web+proto", false],
	["application/grpcproto", false],
	["application/json", false],
	["", false],
	[undefined, false],
])("%j is gRPC's: %s", (type, is) => {
	expect(isGrpc(type)).toBe(is);
});
