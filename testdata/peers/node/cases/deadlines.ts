import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import {
	type Case,
	fail,
	instruct,
	kinds,
	type Session,
	sizes,
	succeed,
} from "./case.ts";

const hourMs = 60 * 60 * 1000;

/** Deadlines: they reach the server, and end calls on both sides. */
export const deadlineCases: readonly Case[] = [
	{
		name: "the server knows the time that is left",
		alsoOverTls: true,
		run: (session) => expectRemaining(session, 30_000),
	},
	{
		name: "a deadline of more than eight digits of milliseconds",
		run: (session) => expectRemaining(session, 100 * hourMs),
	},
	{
		name: "without a deadline the server sees none",
		async run(session) {
			for (const method of kinds) {
				expect(await remainingMs(session, method, 0)).toBeUndefined();
			}
		},
	},
	...kinds.map(
		(method): Case => ({
			name: `DEADLINE_EXCEEDED at the client, cancellation at the server: ${method}`,
			alsoOverTls: method === "Unary",
			waits: true,
			async run(session) {
				await succeed(session, { method: "Nothing" });
				const key = randomUUID();
				const began = performance.now();
				await fail(
					session,
					{
						method,
						timeoutMs: 500,
						requests: [instruct({ waitForCancel: true, witness: key })],
						holdOpen: method !== "Unary",
					},
					4,
				);
				expect(performance.now() - began).toBeGreaterThan(450);
				await expectCancelled(session, key);
			},
		}),
	),
	{
		name: "a deadline that passes after replies",
		waits: true,
		async run(session) {
			await succeed(session, { method: "Nothing" });
			for (const method of ["ServerStream", "BidiStream"]) {
				const key = randomUUID();
				const instruction = {
					replies: [1, 2, 3],
					waitForCancel: true,
					witness: key,
				};
				const outcome = await fail(
					session,
					{ method, timeoutMs: 500, requests: [instruct(instruction)] },
					4,
				);
				expect(sizes(outcome)).toEqual([1, 2, 3]);
				await expectCancelled(session, key);
			}
		},
	},
];

async function expectRemaining(
	session: Session,
	timeoutMs: number,
): Promise<void> {
	for (const method of kinds) {
		const remaining = Number(await remainingMs(session, method, timeoutMs));
		expect(remaining).toBeLessThanOrEqual(timeoutMs);
		expect(remaining).toBeGreaterThan(timeoutMs - 20_000);
	}
}

async function remainingMs(
	session: Session,
	method: string,
	timeoutMs: number,
): Promise<bigint | undefined> {
	const { replies } = await succeed(session, {
		method,
		timeoutMs,
		requests: [instruct({ describe: true, replies: [0] })],
	});
	return replies[0]?.seen?.remainingMs;
}

/** Expects that the server has seen the call's cancellation. */
export async function expectCancelled(
	session: Session,
	key: string,
): Promise<void> {
	const { witness } = await succeed(session, {
		method: "Witness",
		witness: { key, untilEnded: true },
	});
	expect(witness).toMatchObject({
		started: true,
		ended: true,
		cancelled: true,
	});
}
