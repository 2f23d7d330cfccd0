/**
 * Kitex's metainfo between homing and Kitex. The Kitex peer sets and reads it by Kitex's API, and shows it as metadata whose
 * names begin with "transient " and "persistent ". On the wire, and so for homing, the names are `rpc-transit-key` and
 * `rpc-persist-key`.
 */

import { afterAll, describe, expect, test } from "vitest";
import type { Outcome } from "../gen/peer_pb.ts";
import {
	byName,
	type Case,
	fail,
	instruct,
	type Kind,
	kinds,
	type Session,
	succeed,
} from "./cases/case.ts";
import { homingClient } from "./homing-client.ts";
import { homingServer } from "./homing-server.ts";
import {
	kitexClient,
	kitexMissing,
	kitexProgram,
	kitexServer,
} from "./kitex.ts";
import { testPair } from "./pair.ts";
import { programServer } from "./program.ts";
import { text } from "./words.ts";

/** A value that is not ASCII, as `Headers` hold it: one character for each byte of its UTF-8. */
const bytes = Buffer.from("租户").toString("latin1");

const response = {
	headers: [text("x-head", "first"), text("rpc-backward-head", "one")],
	trailers: [text("x-tail", "last"), text("rpc-backward-tail", "two")],
};

const plainBothWays: Case = {
	name: "plain metadata in requests, response headers and trailers, of every kind, also of calls that fail",
	async run(session) {
		for (const method of kinds) {
			for (const code of [0, 9]) {
				const outcome = await fail(
					session,
					{
						method,
						headers: [text("x-plain", "request")],
						requests: [
							instruct({
								...response,
								...(code === 0
									? { describe: true, replies: [0] }
									: { fail: { code } }),
							}),
						],
					},
					code,
				);
				const trailers = byName(outcome.trailers);
				expect(trailers).toMatchObject(byName(response.trailers));
				if (code !== 0) continue;
				expect(byName(outcome.headers)).toMatchObject(byName(response.headers));
				expect(seenBy(outcome)["x-plain"]).toBe("request");
			}
		}
	},
};

testPair(
	homingClient,
	kitexServer,
	[
		plainBothWays,
		{
			name: "rpc-transit-* and rpc-persist-* are transient and persistent values, their names in upper snake case",
			async run(session) {
				for (const method of kinds) {
					const seen = await describedBy(session, method, [
						text("rpc-transit-user-id", "42"),
						text("rpc-persist-tenant-name", "blue green"),
					]);
					expect(seen).toMatchObject({
						"transient USER_ID": "42",
						"persistent TENANT_NAME": "blue green",
					});
				}
			},
		},
		{
			name: "a value beyond ASCII is read as UTF-8",
			async run(session) {
				const headers = [text("rpc-persist-tenant", bytes)];
				const seen = await describedBy(session, "Unary", headers);
				expect(seen["persistent TENANT"]).toBe("租户");
			},
		},
	],
	kitexMissing,
);

testPair(
	kitexClient,
	homingServer,
	[
		plainBothWays,
		{
			name: "transient and persistent values are rpc-transit-* and rpc-persist-*, their names in lower kebab case",
			async run(session) {
				for (const method of kinds) {
					const seen = await describedBy(session, method, [
						text("transient USER_ID", "42"),
						text("persistent tenant_name", "blue green"),
					]);
					expect(seen).toEqual({
						"rpc-transit-user-id": "42",
						"rpc-persist-tenant-name": "blue green",
					});
				}
			},
		},
		{
			name: "a value beyond ASCII is sent as UTF-8",
			async run(session) {
				const headers = [text("persistent TENANT", "租户")];
				const seen = await describedBy(session, "Unary", headers);
				expect(seen["rpc-persist-tenant"]).toBe(bytes);
			},
		},
		{
			name: "rpc-backward-* is no backward value to Kitex, whose gRPC has none, but a plain trailer",
			async run(session) {
				const { trailers } = await succeed(session, {
					method: "Unary",
					requests: [instruct(response)],
				});
				expect(byName(trailers)).toEqual(byName(response.trailers));
			},
		},
	],
	kitexMissing,
);

describe.skipIf(kitexMissing)("homing → Kitex → homing", () => {
	const closers: (() => Promise<void>)[] = [];
	afterAll(async () => {
		for (const close of closers.reverse()) await close();
	});

	// By default, Kitex v0.16 still passes transient values on; it calls this "legacy" ("may leak beyond one hop").
	test("Kitex passes on persistent values, and transient ones, too", async () => {
		const last = await homingServer.start({});
		closers.push(() => last.stop());
		const between = await programServer(
			kitexProgram(["-onward", last.address]),
			{ compresses: true },
		).start({});
		closers.push(() => between.stop());
		const client = await homingClient.connect({ address: between.address });
		closers.push(() => client.close());
		const outcome = await client.perform({
			method: "Unary",
			headers: [
				text("rpc-transit-user-id", "42"),
				text("rpc-persist-tenant-name", "blue"),
				text("x-plain", "request"),
			],
			requests: [instruct({ describe: true, replies: [0] })],
		});
		expect(outcome.status?.code, outcome.status?.message).toBe(0);
		expect(seenBy(outcome)).toEqual({
			"rpc-persist-tenant-name": "blue",
			"rpc-transit-user-id": "42",
		});
	});
});

/** Returns the metadata that the server has received. */
async function describedBy(
	session: Session,
	method: Kind,
	headers: ReturnType<typeof text>[],
): Promise<Record<string, string>> {
	const requests = [instruct({ describe: true, replies: [0] })];
	return seenBy(await succeed(session, { method, headers, requests }));
}

function seenBy({ replies }: Outcome): Record<string, string> {
	return byName(replies[0]?.seen?.metadata ?? []);
}
