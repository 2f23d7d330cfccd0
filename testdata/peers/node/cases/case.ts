/** What a case is, and the words that cases share. */

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
	/** What holds. */
	readonly name: string;
	/** How the two sides are set up; plaintext and uncompressed if not said. */
	readonly setup?: Setup;
	/** Run it over TLS too. */
	readonly alsoOverTls?: boolean;
	/** It mostly waits, and may run together with its neighbours. */
	readonly waits?: boolean;
	run(session: Session): Promise<void>;
}

export interface Setup {
	readonly tls?:
		| "server"
		| "mutual"
		| "missing client certificate"
		| "unknown authority";
	/** Who compresses: requests are the client's, responses the server's. */
	readonly gzip?: "requests" | "responses";
}

/** A client connected to a server. */
export interface Session {
	perform(call: CallInit): Promise<Outcome>;
	/** Bytes that have passed from the client to the server, and back. */
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

/** A request that is exactly so many bytes long when encoded. */
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

/** The payload of a message that is so many bytes long and holds no more. */
export function payloadBytesWithin(bytes: number): number {
	// One byte of tag, and a length of four bytes from 2 MiB up.
	expect(bytes).toBeGreaterThan(2 << 20);
	return bytes - 5;
}

export { maxMessageBytes };

/** Performs the call and expects it to end with OK. */
export function succeed(session: Performer, call: CallInit): Promise<Outcome> {
	return fail(session, call, 0);
}

/** Performs the call and expects it to end with the code. */
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
 * Metadata by name, in which the ways to carry repeated keys are equal: ASCII
 * values joined by ", ", binary ones listed in hexadecimal.
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
