import { expect } from "vitest";
import { ballast, weigh } from "../words.ts";
import { type Case, fail, instruct, kinds, sizes, succeed } from "./case.ts";

const many = Array.from({ length: 1000 }, (_, i) => i % 50);
const chunk = 256 << 10;

/** The four kinds of calls, empty messages, the order of messages, and large volumes. */
export const kindCases: readonly Case[] = [
	{
		name: "unary: one request, one reply",
		alsoOverTls: true,
		async run(session) {
			const { replies } = await succeed(session, {
				method: "Unary",
				requests: [instruct({ replies: [3000], describe: true }, 777)],
			});
			expect(replies).toHaveLength(1);
			expect(replies[0]?.payload).toEqual(weigh(ballast(3000)));
			expect(replies[0]?.seen?.requests).toEqual([weigh(ballast(777))]);
		},
	},
	{
		name: "server stream: replies of many sizes, in order",
		alsoOverTls: true,
		async run(session) {
			const wanted = [0, 1, 100, 70_000, 3, 0, 16_384];
			const { replies } = await succeed(session, {
				method: "ServerStream",
				requests: [instruct({ replies: wanted })],
			});
			expect(replies.map((reply) => reply.payload)).toEqual(
				wanted.map((bytes) => weigh(ballast(bytes))),
			);
		},
	},
	{
		name: "server stream: no reply",
		async run(session) {
			const call = { method: "ServerStream", requests: [instruct({})] };
			expect(sizes(await succeed(session, call))).toEqual([]);
		},
	},
	{
		name: "client stream: requests of many sizes, in order",
		alsoOverTls: true,
		async run(session) {
			const sent = [0, 1, 100, 70_000, 3, 0, 16_384];
			const { replies } = await succeed(session, {
				method: "ClientStream",
				requests: sent.map((bytes) => instruct({ describe: true }, bytes)),
			});
			expect(replies).toHaveLength(1);
			expect(replies[0]?.seen?.requests).toEqual(
				sent.map((bytes) => weigh(ballast(bytes))),
			);
		},
	},
	{
		name: "client stream: no request",
		async run(session) {
			const call = { method: "ClientStream" };
			expect(sizes(await succeed(session, call))).toEqual([0]);
		},
	},
	{
		name: "client stream: the server answers before the client is done",
		async run(session) {
			const { replies } = await succeed(session, {
				method: "ClientStream",
				requests: [instruct({ replies: [5], finish: true })],
				holdOpen: true,
			});
			expect(replies).toHaveLength(1);
		},
	},
	{
		name: "bidi stream: all requests, then all replies",
		alsoOverTls: true,
		async run(session) {
			const outcome = await succeed(session, {
				method: "BidiStream",
				requests: [
					instruct({}),
					instruct({}),
					instruct({ replies: [1, 2, 3] }),
				],
			});
			expect(sizes(outcome)).toEqual([1, 2, 3]);
		},
	},
	{
		name: "bidi stream: taking turns",
		alsoOverTls: true,
		async run(session) {
			const wanted = Array.from({ length: 20 }, (_, i) => i * 10);
			const outcome = await succeed(session, {
				method: "BidiStream",
				requests: wanted.map((bytes) => instruct({ replies: [bytes] })),
				takeTurns: true,
			});
			expect(sizes(outcome)).toEqual(wanted);
		},
	},
	{
		name: "bidi stream: no message either way",
		async run(session) {
			const call = { method: "BidiStream" };
			expect(sizes(await succeed(session, call))).toEqual([]);
		},
	},
	{
		name: "bidi stream: the server ends before the client is done",
		async run(session) {
			const outcome = await succeed(session, {
				method: "BidiStream",
				requests: [instruct({ replies: [7], finish: true })],
				holdOpen: true,
			});
			expect(sizes(outcome)).toEqual([7]);
		},
	},
	{
		name: "empty messages: unary",
		alsoOverTls: true,
		async run(session) {
			const { replies } = await succeed(session, { method: "Nothing" });
			expect(replies).toHaveLength(1);
		},
	},
	{
		name: "empty messages: streams of them",
		async run(session) {
			const empties = Array.from({ length: 10 }, () => instruct({}));
			const { replies } = await succeed(session, {
				method: "ClientStream",
				requests: [...empties, instruct({ describe: true })],
			});
			expect(replies[0]?.seen?.requests).toHaveLength(11);
			const outcome = await succeed(session, {
				method: "BidiStream",
				requests: [...empties, instruct({ replies: [0, 0, 0, 0] })],
			});
			expect(sizes(outcome)).toEqual([0, 0, 0, 0]);
		},
	},
	{
		name: "a thousand small messages in each direction",
		async run(session) {
			const down = await succeed(session, {
				method: "ServerStream",
				requests: [instruct({ replies: many })],
			});
			expect(sizes(down)).toEqual(many);
			const both = await succeed(session, {
				method: "BidiStream",
				requests: many.map((bytes) => instruct({ replies: [bytes] }, bytes)),
			});
			expect(sizes(both)).toEqual(many);
		},
	},
	{
		name: "8 MiB in each direction, beyond every flow-control window",
		alsoOverTls: true,
		async run(session) {
			const up = await succeed(session, {
				method: "ClientStream",
				requests: Array.from({ length: 32 }, () =>
					instruct({ describe: true }, chunk),
				),
			});
			expect(up.replies[0]?.seen?.requests).toEqual(
				Array.from({ length: 32 }, () => weigh(ballast(chunk))),
			);
			const down = await succeed(session, {
				method: "ServerStream",
				requests: [
					instruct({ replies: Array.from({ length: 32 }, () => chunk) }),
				],
			});
			expect(down.replies.map((reply) => reply.payload)).toEqual(
				Array.from({ length: 32 }, () => weigh(ballast(chunk))),
			);
			const both = await succeed(session, {
				method: "BidiStream",
				requests: Array.from({ length: 32 }, () =>
					instruct({ replies: [chunk] }, chunk),
				),
			});
			expect(sizes(both)).toEqual(Array.from({ length: 32 }, () => chunk));
		},
	},
	{
		name: "a hundred calls at once, each with its own answer",
		alsoOverTls: true,
		async run(session) {
			const calls = Array.from({ length: 100 }, (_, i) =>
				succeed(session, {
					method: kinds[i % 4] as string,
					requests: [instruct({ replies: [i] })],
				}),
			);
			const outcomes = await Promise.all(calls);
			expect(outcomes.map(sizes)).toEqual(outcomes.map((_, i) => [i]));
		},
	},
	{
		name: "calls that the server ends early leave nothing behind",
		async run(session) {
			for (let i = 0; i < 300; i++) {
				await succeed(session, {
					method: i % 2 === 0 ? "ClientStream" : "BidiStream",
					requests: [instruct({ replies: [1], finish: true })],
					holdOpen: true,
				});
			}
		},
	},
	{
		name: "a method that the server lacks: UNIMPLEMENTED",
		run: async (session) => {
			await fail(session, { method: "Unimplemented" }, 12);
		},
	},
	{
		name: "a service that the server lacks: UNIMPLEMENTED",
		run: async (session) => {
			await fail(session, { method: "Absent" }, 12);
		},
	},
];
