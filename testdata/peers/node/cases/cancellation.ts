import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { type Case, fail, instruct, kinds, sizes, succeed } from "./case.ts";
import { expectCancelled } from "./deadlines.ts";

/** Cancellation: a client cancels a call, and the server sees it. */
export const cancellationCases: readonly Case[] = [
	...kinds.map(
		(method): Case => ({
			name: `CANCELLED at the client, cancellation at the server: ${method}`,
			alsoOverTls: method === "BidiStream",
			async run(session) {
				const key = randomUUID();
				await fail(
					session,
					{
						method,
						requests: [instruct({ waitForCancel: true, witness: key })],
						cancelWhenStarted: key,
						holdOpen: method !== "Unary",
					},
					1,
				);
				await expectCancelled(session, key);
			},
		}),
	),
	{
		name: "cancelled while the server waits for a request",
		async run(session) {
			for (const method of ["ClientStream", "BidiStream"]) {
				const key = randomUUID();
				const requests = [instruct({ witness: key })];
				const call = { method, requests, holdOpen: true };
				await fail(session, { ...call, cancelWhenStarted: key }, 1);
				await expectCancelled(session, key);
			}
		},
	},
	{
		name: "cancelled after replies",
		async run(session) {
			for (const method of ["ServerStream", "BidiStream"]) {
				const key = randomUUID();
				const instruction = {
					replies: [1, 2, 3],
					waitForCancel: true,
					witness: key,
				};
				const outcome = await fail(
					session,
					{
						method,
						requests: [instruct(instruction)],
						cancelAfterReplies: 3,
					},
					1,
				);
				expect(sizes(outcome)).toEqual([1, 2, 3]);
				await expectCancelled(session, key);
			}
		},
	},
	{
		name: "cancelled while the server is held up by flow control",
		async run(session) {
			const key = randomUUID();
			const replies = Array.from({ length: 1000 }, () => 64 << 10);
			const requests = [instruct({ replies, witness: key })];
			const call = { method: "ServerStream", requests };
			await fail(session, { ...call, cancelAfterReplies: 2 }, 1);
			await expectCancelled(session, key);
		},
	},
	{
		name: "cancelling some calls leaves the others alone",
		async run(session) {
			const turns = Array.from({ length: 50 }, () =>
				instruct({ replies: [1] }),
			);
			const others = Array.from({ length: 5 }, () =>
				succeed(session, {
					method: "BidiStream",
					requests: turns,
					takeTurns: true,
				}),
			);
			for (let i = 0; i < 10; i++) {
				const key = randomUUID();
				const requests = [instruct({ waitForCancel: true, witness: key })];
				const call = { method: "Unary", requests };
				await fail(session, { ...call, cancelWhenStarted: key }, 1);
			}
			for (const outcome of await Promise.all(others)) {
				expect(sizes(outcome)).toHaveLength(turns.length);
			}
		},
	},
];
