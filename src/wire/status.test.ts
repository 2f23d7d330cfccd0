import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
	AnySchema,
	DurationSchema,
	StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { between, seeded } from "../../testdata/harness/seeded.ts";
import {
	codeOfHttpStatus,
	codeOfReset,
	errorOfStatus,
	nameOfReset,
	statusOf,
	trailersOfError,
} from "./status.ts";

/** What a client makes of an error that a server sent. */
function overTheWire(error: ConnectError): ConnectError {
	return errorOf(trailersOfError(error));
}

/** What a client makes of the trailers of a call. */
function errorOf(trailers: string[]): ConnectError {
	const status = statusOf(trailers);
	if (status === undefined) throw new Error("no status");
	return errorOfStatus(status, [], trailers);
}

describe("statusOf", () => {
	test.each(Array.from({ length: 17 }, (_, code) => code))(
		"grpc-status %d is its code",
		(code) => {
			expect(statusOf(["grpc-status", `${code}`])).toEqual({
				code,
				message: "",
			});
		},
	);

	test("is undefined without a grpc-status", () => {
		expect(statusOf([])).toBeUndefined();
		expect(statusOf(["grpc-message", "lost"])).toBeUndefined();
	});

	test.each(["17", "99", "99999999999", "00000000000017"])(
		"grpc-status %s, which gRPC does not know, is UNKNOWN with the server's message, and stays in the metadata",
		(text) => {
			const error = errorOf(["grpc-status", text, "grpc-message", "why"]);
			expect([error.code, error.rawMessage]).toEqual([Code.Unknown, "why"]);
			expect(error.metadata.get("grpc-status")).toBe(text);
			expect(statusOf(["grpc-status", text])?.message).toBe(
				`grpc-status ${Number(text)}`,
			);
		},
	);

	test.each(["", "abc", "-1", "1.5", "0x5", "5 5", "+5"])(
		"grpc-status %j is malformed: UNKNOWN, and never OK",
		(text) => {
			const status = statusOf(["grpc-status", text]);
			expect(status?.code).toBe(Code.Unknown);
			expect(status?.message).toBe(
				`the server sent a malformed grpc-status "${text}"`,
			);
		},
	);

	test("a malformed status keeps the server's message", () => {
		const status = statusOf(["grpc-status", "x", "grpc-message", "why"]);
		expect(status?.message).toContain('"x": why');
	});
});

describe("grpc-message", () => {
	const decoded = (text: string) =>
		statusOf(["grpc-status", "5", "grpc-message", text])?.message;

	test.each([
		["plain words", "plain words"],
		["100%25", "100%"],
		["%e2%82%AC", "€"],
		["line%0Aline", "line\nline"],
		["50% of %zz and %", "50% of %zz and %"],
		["%4", "%4"],
		["%C3", "\ufffd"],
		["%C3%28", "\ufffd("],
	])("%j is read as %j", (text, message) => {
		expect(decoded(text)).toBe(message);
	});

	test.each(["ends well", "", "50 %", "naïve €\n\t", "\u0000", "😀", 'a\\b"c'])(
		"%j arrives as it was sent, in printable ASCII",
		(message) => {
			const error = new ConnectError(message, Code.NotFound);
			const trailers = trailersOfError(error);
			for (const text of trailers) expect(text).toMatch(/^[ -~]*$/);
			expect(overTheWire(error).rawMessage).toBe(message);
		},
	);

	test("only what has to be encoded is", () => {
		const trailers = trailersOfError(
			new ConnectError(" a~b%\u007f€", Code.NotFound),
		);
		expect(trailers).toEqual([
			"grpc-status",
			"5",
			"grpc-message",
			" a~b%25%7F%E2%82%AC",
		]);
	});

	test("an error without a message sends no grpc-message", () => {
		expect(trailersOfError(new ConnectError("", Code.Aborted))).toEqual([
			"grpc-status",
			"10",
		]);
	});

	test("any text of any length arrives unchanged", () => {
		const random = seeded(3);
		for (let i = 0; i < 500; i++) {
			const message = Array.from({ length: between(random, 0, 40) }, () =>
				String.fromCodePoint(anyCharacter(random)),
			).join("");
			const error = new ConnectError(message, Code.Internal);
			expect(overTheWire(error).rawMessage).toBe(message);
		}
	});

	test("no bytes make reading fail", () => {
		const random = seeded(4);
		for (let i = 0; i < 2000; i++) {
			const text = Array.from({ length: between(random, 0, 12) }, () =>
				random() < 0.4 ? "%" : between(random, 0, 255).toString(16),
			).join("");
			expect(typeof decoded(text)).toBe("string");
		}
	});
});

/** A code point that is no half of a surrogate pair. */
function anyCharacter(random: () => number): number {
	const point = between(random, 0, random() < 0.5 ? 0xff : 0x10ffff);
	return point >= 0xd800 && point <= 0xdfff ? 0x20 : point;
}

describe("grpc-status-details-bin", () => {
	const withDetails = new ConnectError(
		"no such order",
		Code.NotFound,
		undefined,
		[
			{ desc: StringValueSchema, value: { value: "order 7" } },
			{ desc: DurationSchema, value: { seconds: 5n } },
		],
	);

	test("details arrive as they were sent", () => {
		const error = overTheWire(withDetails);
		expect(error.code).toBe(Code.NotFound);
		expect(error.details).toHaveLength(2);
		expect(error.findDetails(StringValueSchema)).toMatchObject([
			{ value: "order 7" },
		]);
		expect(error.findDetails(DurationSchema)).toMatchObject([{ seconds: 5n }]);
	});

	test("details of another server are passed on unchanged", () => {
		const again = overTheWire(overTheWire(withDetails));
		expect(again.findDetails(DurationSchema)).toMatchObject([{ seconds: 5n }]);
	});

	test("are a google.rpc.Status with code and message, unpadded", () => {
		const trailers = trailersOfError(withDetails);
		const text = trailers[trailers.indexOf("grpc-status-details-bin") + 1];
		expect(text).not.toContain("=");
		const bytes = Buffer.from(text as string, "base64");
		// int32 code = 1; string message = 2
		expect([...bytes.subarray(0, 2)]).toEqual([0x08, Code.NotFound]);
		expect([...bytes.subarray(2, 4)]).toEqual([0x12, 13]);
		expect(String(bytes.subarray(4, 17))).toBe("no such order");
		// repeated google.protobuf.Any details = 3
		expect(bytes[17]).toBe(0x1a);
		const length = bytes[18] as number;
		const any = fromBinary(AnySchema, bytes.subarray(19, 19 + length));
		expect(any.typeUrl).toBe("type.googleapis.com/google.protobuf.StringValue");
	});

	const padded = Buffer.concat([
		Buffer.from([0x08, 5, 0x1a]),
		((any) => Buffer.concat([Buffer.of(any.length), any]))(
			toBinary(
				AnySchema,
				create(AnySchema, {
					typeUrl: "x.yz/pkg.Type",
					value: Uint8Array.of(1),
				}),
			),
		),
	]).toString("base64");

	test("are also read if they are padded, with any prefix of their type URL", () => {
		expect(padded).toMatch(/=$/);
		const error = errorOfStatus(
			{ code: Code.NotFound, message: "" },
			[],
			["grpc-status-details-bin", padded],
		);
		expect(error.details).toEqual([{ type: "pkg.Type", value: Buffer.of(1) }]);
	});

	test.each(["!!!", "Gg", "GgX/", "CP////////////8B////", ""])(
		"malformed ones (%j) leave the status unchanged",
		(text) => {
			const error = errorOfStatus(
				{ code: Code.NotFound, message: "gone" },
				[],
				["grpc-status-details-bin", text],
			);
			expect(error).toMatchObject({
				code: Code.NotFound,
				rawMessage: "gone",
				details: [],
			});
		},
	);
});

describe("errorOfStatus", () => {
	test("marks the error as another server's, so that a server does not pass its metadata on", () => {
		const error = errorOfStatus({ code: Code.NotFound, message: "" }, [], []);
		expect(error.isWireError).toBe(true);
	});

	test("has the metadata of headers and trailers", () => {
		const { metadata } = errorOfStatus(
			{ code: Code.NotFound, message: "" },
			[":status", "200", "x-head", "1", "x-both", "2"],
			["x-tail", "3", "x-both", "4"],
		);
		expect(metadata.get("x-head")).toBe("1");
		expect(metadata.get("x-tail")).toBe("3");
		expect(metadata.get("x-both")).toBe("2, 4");
	});
});

describe("codeOfHttpStatus", () => {
	test.each([
		["400", Code.Internal],
		["401", Code.Unauthenticated],
		["403", Code.PermissionDenied],
		["404", Code.Unimplemented],
		["429", Code.Unavailable],
		["431", Code.Internal],
		["502", Code.Unavailable],
		["503", Code.Unavailable],
		["504", Code.Unavailable],
		["200", Code.Unknown],
		["302", Code.Unknown],
		["418", Code.Unknown],
		["500", Code.Unknown],
		[undefined, Code.Unknown],
	])("HTTP %s is gRPC %d", (status, code) => {
		expect(codeOfHttpStatus(status)).toBe(code);
	});
});

describe("codeOfReset", () => {
	test.each([
		["NO_ERROR", 0x0, Code.Internal],
		["PROTOCOL_ERROR", 0x1, Code.Internal],
		["INTERNAL_ERROR", 0x2, Code.Internal],
		["FLOW_CONTROL_ERROR", 0x3, Code.Internal],
		["SETTINGS_TIMEOUT", 0x4, Code.Internal],
		["STREAM_CLOSED", 0x5, Code.Internal],
		["FRAME_SIZE_ERROR", 0x6, Code.Internal],
		["REFUSED_STREAM", 0x7, Code.Unavailable],
		["CANCEL", 0x8, Code.Canceled],
		["COMPRESSION_ERROR", 0x9, Code.Internal],
		["CONNECT_ERROR", 0xa, Code.Internal],
		["ENHANCE_YOUR_CALM", 0xb, Code.ResourceExhausted],
		["INADEQUATE_SECURITY", 0xc, Code.PermissionDenied],
		["HTTP_1_1_REQUIRED", 0xd, Code.Internal],
		["0x2a", 0x2a, Code.Internal],
	])("%s has a name and a code", (name, reset, code) => {
		expect(nameOfReset(reset)).toBe(name);
		expect(codeOfReset(reset)).toBe(code);
	});
});
