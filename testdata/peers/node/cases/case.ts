/** What a case is, and functions that several cases use. */

import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect } from "vitest";
import {
	type CallSchema,
	InstructionSchema,
	type Metadatum,
	type Outcome,
	type RequestSchema,
} from "../../gen/peer_pb.ts";
import { maxMessageBytes } from "../peer.ts";

export type CallInit = MessageInitShape<typeof CallSchema>;

export interface Case {
	/** What must hold, as the title of the test. */
	readonly name: string;
	/** How the two sides are set up. Default: plaintext without compression. */
	readonly setup?: Setup;
	/** Whether the case is also run over TLS. */
	readonly alsoOverTls?: boolean;
	/** Whether the case mostly waits, so that it may run at the same time as its neighbours. */
	readonly waits?: boolean;
	run(session: Session): Promise<void>;
}

export interface Setup {
	readonly tls?:
		| "server"
		| "mutual"
		| "missing client certificate"
		| "unknown authority";
	/** Which sides compress their messages: the client its requests, the server its responses. */
	readonly gzip?: "requests" | "responses";
}

/** A client connected to a server. */
export interface Session {
	perform(call: CallInit): Promise<Outcome>;
	/** The bytes that have been sent in each direction. */
	traffic(): { up: number; down: number };
}

export type Performer = Pick<Session, "perform">;

/** The four kinds of method. */
export const kinds = [
	"Unary",
	"ServerStream",
	"ClientStream",
	"BidiStream",
] as const;

export type Kind = (typeof kinds)[number];

export function instruct(
	instruction: MessageInitShape<typeof InstructionSchema>,
	payloadBytes = 0,
): MessageInitShape<typeof RequestSchema> {
	return { instruction, payloadBytes };
}

/** Makes a request that is exactly this many bytes long when encoded. */
export function requestOfLength(
	bytes: number,
	instruction: MessageInitShape<typeof InstructionSchema> = {},
): MessageInitShape<typeof RequestSchema> {
	const rest = toBinary(
		InstructionSchema,
		create(InstructionSchema, instruction),
	);
	return instruct(instruction, payloadBytesWithin(bytes - rest.length));
}

/** Makes the payload of a message that is this many bytes long and has no other field. */
export function payloadBytesWithin(bytes: number): number {
	// The tag takes one byte. From 2 MiB on, the length takes four bytes.
	expect(bytes).toBeGreaterThan(2 << 20);
	return bytes - 5;
}

export { maxMessageBytes };

/** Makes the call and expects it to end with OK. */
export function succeed(session: Performer, call: CallInit): Promise<Outcome> {
	return fail(session, call, 0);
}

/** Makes the call and expects it to end with the code. */
export async function fail(
	session: Performer,
	call: CallInit,
	code: number,
): Promise<Outcome> {
	const outcome = await session.perform(call);
	expect(outcome.status?.code, outcome.status?.message).toBe(code);
	return outcome;
}

/** The sizes of the replies' payloads. */
export function sizes(outcome: Outcome): number[] {
	return outcome.replies.map((reply) => reply.payload?.bytes ?? -1);
}

/**
 * Converts metadata to a form in which the different ways to send a repeated key
 * are equal: ASCII values are joined by ", ", and binary values are listed in
 * hexadecimal.
 */
export function byName(data: readonly Metadatum[]): Record<string, string> {
	const names: Record<string, string> = {};
	for (const { name, value } of data) {
		const shown =
			value.case === "binary" ? toHex(value.value) : (value.value ?? "");
		const before = names[name];
		names[name] = before === undefined ? shown : `${before}, ${shown}`;
	}
	return names;
}

function toHex(bytes: Uint8Array): string {
	return `0x${Buffer.from(bytes).toString("hex")}`;
}
