import type { SrvRecord } from "node:dns";
import { expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import { srvResolver } from "./srv.ts";

function service(
	records: [string, number, number][],
	reachable: string[] = [],
) {
	const clock = new FakeClock();
	const state = { records, reachable: new Set(reachable) };
	const asked: string[] = [];
	const probed: string[] = [];
	const resolver = srvResolver(
		{ name: "_grpc._tcp.payment" },
		{
			clock,
			query: async (name) => {
				asked.push(name);
				return state.records.map(
					([name, priority, weight]): SrvRecord => ({
						name,
						port: 50051,
						priority,
						weight,
					}),
				);
			},
			probe: async (address) => {
				probed.push(address);
				if (!state.reachable.has(address)) {
					throw new Error(`${address} refuses`);
				}
			},
		},
	);
	return { clock, state, asked, probed, resolver };
}

test("each record becomes an endpoint with its port and weight", async () => {
	const { clock, asked, probed, resolver } = service([
		["a", 10, 60],
		["b", 10, 40],
	]);
	await using watching = new Watching(resolver);
	await clock.advance(0);
	expect(watching.seen).toEqual([
		{
			endpoints: [
				{ address: "a:50051", weight: 60 },
				{ address: "b:50051", weight: 40 },
			],
		},
	]);
	expect(asked).toEqual(["_grpc._tcp.payment"]);
	expect(probed).toEqual([]);
});

test("a record of weight 0 gets very few calls beside others, and an equal share if all have weight 0", async () => {
	const mixed = service([
		["a", 1, 0],
		["b", 1, 5],
	]);
	await using first = new Watching(mixed.resolver);
	await mixed.clock.advance(0);
	expect(first.seen[0]?.endpoints).toEqual([
		{ address: "a:50051", weight: 1 },
		{ address: "b:50051", weight: 500 },
	]);

	const zeros = service([
		["a", 1, 0],
		["b", 1, 0],
	]);
	await using second = new Watching(zeros.resolver);
	await zeros.clock.advance(0);
	expect(second.seen[0]?.endpoints).toEqual([
		{ address: "a:50051" },
		{ address: "b:50051" },
	]);
});

test("the lowest priority number that answers is used, and a better one is used again once it answers", async () => {
	const { clock, state, resolver } = service(
		[
			["spare", 20, 1],
			["main1", 10, 1],
			["main2", 10, 1],
		],
		["spare:50051"],
	);
	await using watching = new Watching(resolver);
	await clock.advance(0);
	expect(watching.addresses).toEqual(["spare:50051"]);
	state.reachable.add("main2:50051");
	await clock.advance(30_000);
	expect(watching.addresses).toEqual(["main1:50051", "main2:50051"]);
});

test("the lowest priority number is used if no server answers", async () => {
	const { clock, resolver } = service([
		["spare", 20, 1],
		["main", 10, 1],
	]);
	await using watching = new Watching(resolver);
	await clock.advance(0);
	expect(watching.addresses).toEqual(["main:50051"]);
});

test.each<[string, [string, number, number][]]>([
	["no record", []],
	["the root as the only target", [["", 0, 0]]],
])("%s is an error", async (_, records) => {
	expect(await new Watching(service(records).resolver).ended).toMatchObject({
		message: "the SRV records of _grpc._tcp.payment name no server",
	});
});

test("a failed query is an error with its cause", async () => {
	const cause = new Error("querySrv ENOTFOUND");
	const resolver = srvResolver(
		{ name: "x" },
		{
			query: async () => {
				throw cause;
			},
		},
	);
	expect(await new Watching(resolver).ended).toMatchObject({
		message: "the SRV records of x cannot be resolved: querySrv ENOTFOUND",
		cause,
	});
});
