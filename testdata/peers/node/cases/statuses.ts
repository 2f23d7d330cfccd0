import { create, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { type Case, fail, instruct, kinds, sizes } from "./case.ts";

const codes = Array.from({ length: 16 }, (_, i) => i + 1);
const prefix = "type.googleapis.com/";
const details = [
	{
		typeUrl: `${prefix}google.protobuf.StringValue`,
		value: toBinary(
			StringValueSchema,
			create(StringValueSchema, { value: "one" }),
		),
	},
	{ typeUrl: `${prefix}nowhere.Unknown`, value: new Uint8Array([8, 150, 1]) },
	{ typeUrl: `${prefix}google.protobuf.Empty`, value: new Uint8Array() },
];

/** How calls fail: codes, messages and details, at each point of a call. */
export const statusCases: readonly Case[] = [
	...kinds.map(
		(method): Case => ({
			name: `every status code, with its message: ${method}`,
			alsoOverTls: method === "Unary",
			async run(session) {
				for (const code of codes) {
					const status = { code, message: `failing with ${code}` };
					const requests = [instruct({ fail: status })];
					const outcome = await fail(session, { method, requests }, code);
					expect(outcome.status).toMatchObject({ ...status, details: [] });
					expect(outcome.replies).toEqual([]);
				}
			},
		}),
	),
	{
		name: "every status code, after replies",
		async run(session) {
			for (const method of ["ServerStream", "BidiStream"]) {
				for (const code of codes) {
					const requests = [
						instruct({ replies: [1, 2], fail: { code, message: "later" } }),
					];
					const outcome = await fail(session, { method, requests }, code);
					expect(outcome.status?.message).toBe("later");
					expect(sizes(outcome)).toEqual([1, 2]);
				}
			}
		},
	},
	{
		name: "a failure while the client is still sending",
		async run(session) {
			for (const method of ["ClientStream", "BidiStream"]) {
				const requests = [
					instruct({}),
					instruct({ fail: { code: 9, message: "enough" } }),
				];
				const call = { method, requests, holdOpen: true };
				const { status } = await fail(session, call, 9);
				expect(status?.message).toBe("enough");
			}
		},
	},
	{
		name: "a message of any characters, or none",
		async run(session) {
			const messages = [
				"",
				"100% sure",
				"%20 stays as it is",
				"line one\nline two\ttab\r",
				"größer, 大きい, 🚀, \u0001\u007f",
				"x".repeat(2000),
			];
			for (const message of messages) {
				const requests = [instruct({ fail: { code: 10, message } })];
				const call = { method: "Unary", requests };
				const { status } = await fail(session, call, 10);
				expect(status?.message).toBe(message);
			}
		},
	},
	{
		name: "error details: several, of known and unknown types",
		alsoOverTls: true,
		async run(session) {
			for (const method of kinds) {
				const wanted = { code: 9, message: "in detail", details };
				const requests = [instruct({ fail: wanted })];
				const { status } = await fail(session, { method, requests }, 9);
				expect(status).toMatchObject(wanted);
			}
		},
	},
	{
		name: "error details: 4 KiB of them, after replies",
		async run(session) {
			const value = Uint8Array.from({ length: 4096 }, (_, i) => i);
			const wanted = {
				code: 5,
				message: "nowhere",
				details: [{ typeUrl: `${prefix}nowhere.Unknown`, value }],
			};
			const requests = [instruct({ replies: [10], fail: wanted })];
			const call = { method: "ServerStream", requests };
			const { status } = await fail(session, call, 5);
			expect(status).toMatchObject(wanted);
		},
	},
];
