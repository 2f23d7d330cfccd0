import { expect } from "vitest";
import { ballast, weigh } from "../words.ts";
import {
	type Case,
	fail,
	instruct,
	kinds,
	maxMessageBytes,
	payloadBytesWithin,
	requestOfLength,
	sizes,
	succeed,
} from "./case.ts";

const large = 1 << 20;
/** A limit of bytes: one MiB of the pattern is far smaller when it is compressed, and far larger when it is not. */
const compressed = 64 << 10;
const largestPayload = payloadBytesWithin(maxMessageBytes);

/** Compression: compressed requests to any server, compressed responses to any client. */
export const gzipCases: readonly Case[] = [
	{
		name: "gzip requests: large, small and empty, of every kind",
		setup: { gzip: "requests" },
		async run(session) {
			for (const method of kinds) {
				for (const bytes of [large, 100, 0]) {
					const { up } = session.traffic();
					const { replies } = await succeed(session, {
						method,
						requests: [instruct({ describe: true, replies: [0] }, bytes)],
					});
					expect(replies[0]?.seen?.requests).toEqual([weigh(ballast(bytes))]);
					expect(session.traffic().up - up).toBeLessThan(compressed);
				}
			}
		},
	},
	{
		name: "gzip requests: many on a stream",
		setup: { gzip: "requests" },
		async run(session) {
			const sent = [large, 0, 5, 5000, large];
			const { replies } = await succeed(session, {
				method: "ClientStream",
				requests: sent.map((bytes) => instruct({ describe: true }, bytes)),
			});
			expect(replies[0]?.seen?.requests).toEqual(
				sent.map((bytes) => weigh(ballast(bytes))),
			);
		},
	},
	{
		name: "gzip requests: exactly 4 MiB when decompressed",
		setup: { gzip: "requests" },
		async run(session) {
			for (const method of kinds) {
				const requests = [requestOfLength(maxMessageBytes, { replies: [0] })];
				await succeed(session, { method, requests });
			}
		},
	},
	{
		name: "gzip requests: 4 MiB and a byte when decompressed: RESOURCE_EXHAUSTED",
		setup: { gzip: "requests" },
		async run(session) {
			for (const method of kinds) {
				const requests = [requestOfLength(maxMessageBytes + 1)];
				await fail(session, { method, requests }, 8);
			}
		},
	},
	{
		name: "gzip responses: large, small and empty, of every kind",
		setup: { gzip: "responses" },
		async run(session) {
			for (const method of kinds) {
				for (const bytes of [large, 100, 0]) {
					const { down } = session.traffic();
					const { replies } = await succeed(session, {
						method,
						requests: [instruct({ replies: [bytes] })],
					});
					expect(replies.map((reply) => reply.payload)).toEqual([
						weigh(ballast(bytes)),
					]);
					expect(session.traffic().down - down).toBeLessThan(compressed);
				}
			}
		},
	},
	{
		name: "gzip responses: many on a stream",
		setup: { gzip: "responses" },
		async run(session) {
			const replies = [large, 0, 5, 5000, large];
			const requests = [instruct({ replies })];
			const call = { method: "ServerStream", requests };
			expect(sizes(await succeed(session, call))).toEqual(replies);
		},
	},
	{
		name: "gzip responses: exactly 4 MiB when decompressed",
		setup: { gzip: "responses" },
		async run(session) {
			for (const method of kinds) {
				const requests = [instruct({ replies: [largestPayload] })];
				const outcome = await succeed(session, { method, requests });
				expect(sizes(outcome)).toEqual([largestPayload]);
			}
		},
	},
	{
		name: "gzip responses: 4 MiB and a byte when decompressed: RESOURCE_EXHAUSTED",
		setup: { gzip: "responses" },
		async run(session) {
			for (const method of kinds) {
				const requests = [instruct({ replies: [largestPayload + 1] })];
				await fail(session, { method, requests }, 8);
			}
		},
	},
];
