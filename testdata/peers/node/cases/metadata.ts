import { expect } from "vitest";
import type { Metadatum, Outcome } from "../../gen/peer_pb.ts";
import { ballast, binary, text } from "../words.ts";
import {
	byName,
	type Case,
	fail,
	instruct,
	kinds,
	type Session,
	succeed,
} from "./case.ts";

const printable = String.fromCharCode(
	...Array.from({ length: 0x5e }, (_, i) => 0x21 + i),
);
const lengths = [1, 2, 3, 4, 255];

/** Metadata of all shapes, in requests, response headers and trailers. */
export const metadataCases: readonly Case[] = [
	{
		name: "ASCII metadata, both ways",
		alsoOverTls: true,
		run: (session) =>
			everywhere(session, [
				text("x-one", "value"),
				text("x-two.with_all-0123456789", "a b  c"),
				text("x-printable", `${printable} ${printable}`),
			]),
	},
	{
		name: "ASCII metadata: repeated keys keep their values in order",
		run: (session) =>
			everywhere(session, [
				text("x-many", "3"),
				text("x-many", "1"),
				text("x-between", "b"),
				text("x-many", "2"),
			]),
	},
	{
		name: "ASCII metadata: an empty value",
		run: (session) => everywhere(session, [text("x-empty", "")]),
	},
	{
		name: "binary metadata of any bytes and lengths, both ways",
		alsoOverTls: true,
		run: (session) =>
			everywhere(session, [
				binary("x-all-bin", ballast(256)),
				...lengths.map((length) =>
					binary(`x-${length}-bin`, new Uint8Array(length).fill(0xff)),
				),
			]),
	},
	{
		name: "binary metadata: no bytes",
		run: (session) =>
			everywhere(session, [binary("x-empty-bin", new Uint8Array())]),
	},
	{
		name: "binary metadata: repeated keys keep their values in order",
		run: (session) =>
			everywhere(session, [
				binary("x-many-bin", Uint8Array.of(3, 0xff)),
				binary("x-many-bin", Uint8Array.of(1)),
				binary("x-many-bin", Uint8Array.of(2, 0, 0x7f)),
			]),
	},
	{
		name: "fifty keys, and a value of 4 KiB",
		run: (session) =>
			everywhere(session, [
				...Array.from({ length: 50 }, (_, i) => text(`x-key-${i}`, `${i}`)),
				text("x-long", "long".repeat(1024)),
			]),
	},
	{
		name: "a failed call brings its trailers",
		async run(session) {
			const trailers = [
				text("x-reason", "because"),
				binary("x-reason-bin", Uint8Array.of(0, 0xff)),
			];
			for (const method of kinds) {
				const outcome = await fail(
					session,
					{
						method,
						requests: [instruct({ trailers, fail: { code: 7 } })],
					},
					7,
				);
				expect(byName(outcome.trailers)).toMatchObject(byName(trailers));
			}
		},
	},
	{
		name: "a call that fails after replies brings headers and trailers",
		async run(session) {
			const headers = [text("x-head", "first")];
			const trailers = [text("x-tail", "last")];
			for (const method of ["ServerStream", "BidiStream"]) {
				const instruction = {
					headers,
					trailers,
					replies: [1],
					fail: { code: 7 },
				};
				const call = { method, requests: [instruct(instruction)] };
				const outcome = await fail(session, call, 7);
				expect(byName(outcome.headers)).toMatchObject(byName(headers));
				expect(byName(outcome.trailers)).toMatchObject(byName(trailers));
			}
		},
	},
];

/** Sends the metadata with calls of each kind, and expects the server to send it back. */
async function everywhere(
	session: Session,
	metadata: readonly Metadatum[],
): Promise<void> {
	for (const method of kinds) {
		const outcome: Outcome = await succeed(session, {
			method,
			headers: [...metadata],
			requests: [
				instruct({
					headers: [...metadata],
					trailers: metadata.map((datum) => ({
						...datum,
						name: `x-t${datum.name}`,
					})),
					replies: [1],
					describe: true,
				}),
			],
		});
		const wanted = byName(metadata);
		expect(byName(outcome.replies[0]?.seen?.metadata ?? [])).toEqual(wanted);
		expect(byName(outcome.headers)).toEqual(wanted);
		expect(byName(outcome.trailers)).toEqual(
			Object.fromEntries(
				Object.entries(wanted).map(([name, value]) => [`x-t${name}`, value]),
			),
		);
	}
}
