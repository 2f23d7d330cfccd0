import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Any, AnySchema, anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { headerOf, type RawHeaders } from "./headers.ts";
import { Http2Code } from "./http2-code.ts";
import { toHeaders } from "./metadata.ts";

/** The status of a call, as it is on the wire. 0 is OK (grpc/statuscodes). */
export interface Status {
	readonly code: Code | 0;
	readonly message: string;
}

const OK: Status = { code: 0, message: "" };

/** Reads the status from trailers; undefined if they have none. A number that gRPC does not know becomes UNKNOWN. */
export function statusOf(trailers: RawHeaders): Status | undefined {
	const text = headerOf(trailers, "grpc-status");
	if (text === undefined) return undefined;
	const encoded = headerOf(trailers, "grpc-message");
	if (text === "0" && encoded === undefined) return OK;
	const message = decodeMessage(encoded ?? "");
	if (!/^\d+$/.test(text)) {
		return {
			code: Code.Unknown,
			message: `the server sent a malformed grpc-status "${text}"${message && `: ${message}`}`,
		};
	}
	const code = Number(text);
	// A number of the application's own stays in the error's metadata, under "grpc-status". The message is the server's.
	return code <= Code.Unauthenticated
		? { code, message }
		: { code: Code.Unknown, message: message || `grpc-status ${code}` };
}

/** The code for a response that is not gRPC's, by its HTTP status (grpc/http-grpc-status-mapping). */
export function codeOfHttpStatus(status: string | undefined): Code {
	switch (status) {
		case "400":
		case "431":
			return Code.Internal;
		case "401":
			return Code.Unauthenticated;
		case "403":
			return Code.PermissionDenied;
		case "404":
			return Code.Unimplemented;
		case "429":
		case "502":
		case "503":
		case "504":
			return Code.Unavailable;
		default:
			return Code.Unknown;
	}
}

/** The code for a stream that was reset (PROTOCOL-HTTP2, "Errors"). */
export function codeOfReset(code: number): Code {
	switch (code) {
		case Http2Code.REFUSED_STREAM:
			return Code.Unavailable;
		case Http2Code.CANCEL:
			return Code.Canceled;
		case Http2Code.ENHANCE_YOUR_CALM:
			return Code.ResourceExhausted;
		case Http2Code.INADEQUATE_SECURITY:
			return Code.PermissionDenied;
		default:
			return Code.Internal;
	}
}

/** The name of an HTTP/2 error code, for error messages. */
export function nameOfReset(code: number): string {
	const names = Object.entries(Http2Code);
	return (
		names.find(([, value]) => value === code)?.[0] ?? `0x${code.toString(16)}`
	);
}

/** The error for a call that failed with `status`, with the details and the metadata that the server sent. */
export function errorOfStatus(
	status: Status,
	headers: RawHeaders,
	trailers: RawHeaders,
): ConnectError {
	const error = new ConnectError(
		status.message,
		status.code === 0 ? Code.Unknown : status.code,
		toHeaders(headers, trailers),
	);
	// For a server whose handler throws it on: the metadata is another server's.
	error.isWireError = true;
	const details = headerOf(trailers, "grpc-status-details-bin");
	if (details !== undefined) error.details = decodeDetails(details);
	return error;
}

/** The trailers that carry `error` to a client. */
export function trailersOfError(error: ConnectError): string[] {
	const trailers = ["grpc-status", String(error.code)];
	if (error.rawMessage !== "") {
		trailers.push("grpc-message", encodeMessage(error.rawMessage));
	}
	if (error.details.length > 0) {
		trailers.push("grpc-status-details-bin", encodeDetails(error));
	}
	return trailers;
}

/** Percent-encodes everything but printable ASCII (PROTOCOL-HTTP2, "Status-Message"). */
function encodeMessage(message: string): string {
	if (/^[ -$&-~]*$/.test(message)) return message;
	let encoded = "";
	for (const byte of new TextEncoder().encode(message)) {
		encoded +=
			byte >= 0x20 && byte <= 0x7e && byte !== 0x25
				? String.fromCharCode(byte)
				: `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
	}
	return encoded;
}

/** Never fails: an invalid escape stays as it is (PROTOCOL-HTTP2, "Status-Message"). */
function decodeMessage(encoded: string): string {
	if (!encoded.includes("%")) return encoded;
	const bytes = Buffer.from(
		encoded.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
			String.fromCharCode(Number.parseInt(hex, 16)),
		),
		"latin1",
	);
	return bytes.toString("utf8");
}

type Detail = ConnectError["details"][number];

const TYPE_URL_PREFIX = "type.googleapis.com/";

// The fields of google.rpc.Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
const CODE = 1;
const MESSAGE = 2;
const DETAILS = 3;

function encodeDetails(error: ConnectError): string {
	const writer = new BinaryWriter();
	writer.tag(CODE, WireType.Varint).int32(error.code);
	writer.tag(MESSAGE, WireType.LengthDelimited).string(error.rawMessage);
	for (const detail of error.details) {
		const any = toBinary(AnySchema, anyOf(detail));
		writer.tag(DETAILS, WireType.LengthDelimited).bytes(any);
	}
	return Buffer.from(writer.finish()).toString("base64").replace(/=+$/, "");
}

function anyOf(detail: Detail): Any {
	return "desc" in detail
		? anyPack(detail.desc, create(detail.desc, detail.value))
		: create(AnySchema, {
				typeUrl: TYPE_URL_PREFIX + detail.type,
				value: detail.value,
			});
}

/** Details that cannot be decoded are left out; the status itself still counts. */
function decodeDetails(text: string): Detail[] {
	try {
		return readDetails(new BinaryReader(Buffer.from(text, "base64")));
	} catch {
		return [];
	}
}

function readDetails(reader: BinaryReader): Detail[] {
	const details: Detail[] = [];
	while (reader.pos < reader.len) {
		const [field, type] = reader.tag();
		if (field !== DETAILS) {
			reader.skip(type, field);
			continue;
		}
		const { typeUrl, value } = fromBinary(AnySchema, reader.bytes());
		details.push({ type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1), value });
	}
	return details;
}
