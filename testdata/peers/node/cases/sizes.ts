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

const exact = maxMessageBytes;
const largestPayload = payloadBytesWithin(exact);

/** The limit of message sizes: messages of exactly 4 MiB are accepted, and larger ones are refused. */
export const sizeCases: readonly Case[] = [
	...kinds.map(
		(method): Case => ({
			name: `a request of exactly 4 MiB: ${method}`,
			alsoOverTls: method === "Unary",
			async run(session) {
				const request = requestOfLength(exact, {
					describe: true,
					replies: [0],
				});
				const { replies } = await succeed(session, {
					method,
					requests: [request],
				});
				expect(replies[0]?.seen?.requests).toEqual([
					weigh(ballast(request.payloadBytes ?? 0)),
				]);
			},
		}),
	),
	...kinds.map(
		(method): Case => ({
			name: `a request of 4 MiB and a byte: RESOURCE_EXHAUSTED: ${method}`,
			async run(session) {
				const requests = [requestOfLength(exact + 1, { replies: [0] })];
				await fail(session, { method, requests }, 8);
				await succeed(session, { method: "Nothing" });
			},
		}),
	),
	...kinds.map(
		(method): Case => ({
			name: `a reply of exactly 4 MiB: ${method}`,
			alsoOverTls: method === "Unary",
			async run(session) {
				const { replies } = await succeed(session, {
					method,
					requests: [instruct({ replies: [largestPayload] })],
				});
				expect(replies.map((reply) => reply.payload)).toEqual([
					weigh(ballast(largestPayload)),
				]);
			},
		}),
	),
	...kinds.map(
		(method): Case => ({
			name: `a reply of 4 MiB and a byte: RESOURCE_EXHAUSTED: ${method}`,
			async run(session) {
				const requests = [instruct({ replies: [largestPayload + 1] })];
				const outcome = await fail(session, { method, requests }, 8);
				expect(sizes(outcome)).toEqual([]);
				await succeed(session, { method: "Nothing" });
			},
		}),
	),
];
