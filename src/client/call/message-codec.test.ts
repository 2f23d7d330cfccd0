import { create, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { ReqSchema } from "../../../testdata/services/gen/echo/echo_pb.ts";
import { OrderSchema } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { decodeMessage, encodeMessage, messageOf } from "./message-codec.ts";

describe("messageOf", () => {
	test("returns a message as it is", () => {
		const message = create(ReqSchema, { mes: "x" });
		expect(messageOf(ReqSchema, message)).toBe(message);
	});

	test("makes a message from its fields", () => {
		const message = messageOf(ReqSchema, { mes: "x" });
		expect(message).toEqual(create(ReqSchema, { mes: "x" }));
	});

	test("makes an empty message from undefined", () => {
		expect(messageOf(EmptySchema, undefined).$typeName).toBe(
			"google.protobuf.Empty",
		);
	});
});

test("an encoded message can be decoded", () => {
	const bytes = encodeMessage(ReqSchema, { mes: "grüß" });
	expect(bytes).toEqual(
		toBinary(ReqSchema, create(ReqSchema, { mes: "grüß" })),
	);
	expect(decodeMessage(ReqSchema, bytes).mes).toBe("grüß");
});

test("a decoded message keeps unknown fields", () => {
	const bytes = Uint8Array.of(0x50, 7);
	const message = decodeMessage(ReqSchema, bytes);
	expect(encodeMessage(ReqSchema, message)).toEqual(bytes);
});

test("an error of encoding is INTERNAL, and names the type and the reason", () => {
	const error = thrownBy(() => encodeMessage(OrderSchema, { price: 1e300 }));
	expect(error.code).toBe(Code.Internal);
	expect(error.rawMessage).toMatch(
		/^the request is no ecommerce\.Order: .*1e\+300/,
	);
	expect(error.cause).toBeInstanceOf(Error);
});

test("an error of decoding is INTERNAL, and names the type and the reason", () => {
	const error = thrownBy(() => decodeMessage(ReqSchema, Uint8Array.of(10, 9)));
	expect(error.code).toBe(Code.Internal);
	expect(error.rawMessage).toMatch(/^the response is no echo\.Req: ./);
	expect(error.cause).toBeInstanceOf(Error);
});

function thrownBy(act: () => unknown): ConnectError {
	try {
		act();
	} catch (error) {
		if (error instanceof ConnectError) return error;
		throw error;
	}
	throw new Error("nothing was thrown");
}
