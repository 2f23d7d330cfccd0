import { expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import { dnsResolver } from "./dns.ts";
import type { Found } from "./name-lookup.ts";

/** A name with addresses that a test can change, in a network in which some of them answer. */
function name(addresses: string[], reachable: string[] = []) {
	const clock = new FakeClock();
	const state: { found: Found; error?: Error } = { found: { addresses } };
	const answering = new Set(reachable);
	const probed: string[] = [];
	const lookups: number[] = [];
	const resolver = dnsResolver(
		{ host: "payment", port: 50051 },
		{
			clock,
			lookup: async () => {
				lookups.push(clock.now());
				if (state.error !== undefined) {
					throw state.error;
				}
				return state.found;
			},
			probe: async (address) => {
				probed.push(address);
				if (!answering.has(address)) {
					throw new Error(`${address} refuses`);
				}
			},
		},
	);
	return { clock, state, answering, probed, lookups, resolver };
}

test("each address becomes an endpoint with the target's port", async () => {
	const { clock, resolver } = name(["10.0.0.1", "10.0.0.2", "10.0.0.1"]);
	await using watching = new Watching(resolver);
	await clock.advance(0);
	expect(watching.seen).toEqual([
		{
			endpoints: [{ address: "10.0.0.1:50051" }, { address: "10.0.0.2:50051" }],
		},
	]);
});

test("the system is asked every 30 s, so that a scale-up is noticed", async () => {
	const { clock, state, lookups, resolver } = name(["10.0.0.1"]);
	await using watching = new Watching(resolver);
	await clock.advance(29_999);
	state.found = { addresses: ["10.0.0.1", "10.0.0.2"] };
	await clock.advance(1);
	expect(watching.addresses).toEqual(["10.0.0.1:50051", "10.0.0.2:50051"]);
	await clock.advance(60_000);
	expect(lookups).toEqual([0, 30_000, 60_000, 90_000]);
});

test("after a lost connection the name is looked up again, at the earliest 1 s after the last lookup", async () => {
	const { clock, lookups, resolver } = name(["10.0.0.1"]);
	await using watching = new Watching(resolver);
	await clock.advance(300);
	watching.refresh();
	await clock.advance(5000);
	expect(lookups).toEqual([0, 1000]);
});

test.each([
	[0, 5000],
	[12_000, 12_000],
	[3_600_000, 30_000],
])(
	"a time to live of %d ms makes the next look in %d ms",
	async (ttlMs, ms) => {
		const { clock, state, lookups, resolver } = name([]);
		state.found = { addresses: ["10.0.0.1"], ttlMs };
		await using _ = new Watching(resolver);
		await clock.advance(ms);
		expect(lookups).toEqual([0, ms]);
	},
);

test("a name that cannot be resolved is an error with its cause", async () => {
	const { state, resolver } = name([]);
	state.error = new Error("getaddrinfo ENOTFOUND payment");
	expect(await new Watching(resolver).ended).toMatchObject({
		message:
			"the name payment cannot be resolved: getaddrinfo ENOTFOUND payment",
		cause: state.error,
	});
});

test("a name without an address is an error", async () => {
	expect(await new Watching(name([]).resolver).ended).toMatchObject({
		message: "the name payment has no address",
	});
});

test.each([
	["10.0.0.1", "10.0.0.1:1"],
	["fe80::1%eth0", "[fe80::1%eth0]:1"],
])("the address %s is not looked up", async (host, address) => {
	const lookup = () => {
		throw new Error("must not be asked");
	};
	const watching = new Watching(dnsResolver({ host, port: 1 }, { lookup }));
	expect(await watching.ended).toBeUndefined();
	expect(watching.addresses).toEqual([address]);
});

test("a name with one address of each family is one endpoint with two addresses", async () => {
	const { clock, probed, resolver } = name(["::1", "127.0.0.1"]);
	await using watching = new Watching(resolver);
	await clock.advance(0);
	expect(watching.addresses).toEqual([["[::1]:50051", "127.0.0.1:50051"]]);
	expect(probed).toEqual([]);
});

const v6 = ["2001:db8::1", "2001:db8::2"];
const v4 = ["10.0.0.1", "10.0.0.2"];
const at = (hosts: string[]): string[] =>
	hosts.map((host) =>
		host.includes(":") ? `[${host}]:50051` : `${host}:50051`,
	);

test.each([
	["the family that the system prefers", [...v6, ...v4], [...v6, ...v4], v6],
	["so also IPv4", [...v4, ...v6], [...v6, ...v4], v4],
	["the one that answers", [...v6, ...v4], v4, v4],
	["one of which the second answers", [...v6, ...v4], ["2001:db8::2"], v6],
])("of several addresses it uses %s", async (_, hosts, reachable, used) => {
	const { clock, resolver } = name(hosts, at(reachable));
	await using watching = new Watching(resolver);
	await clock.advance(0);
	expect(watching.addresses).toEqual(at(used));
});

test("while no address answers, all addresses form one endpoint; a later lookup chooses a family", async () => {
	const { clock, answering, resolver } = name([...v6, ...v4]);
	await using watching = new Watching(resolver);
	await clock.advance(0);
	expect(watching.addresses).toEqual([at([...v6, ...v4])]);
	answering.add("10.0.0.2:50051");
	await clock.advance(30_000);
	expect(watching.addresses).toEqual(at(v4));
});

test("the family in use is kept, and is not probed without a reason", async () => {
	const { clock, state, answering, probed, resolver } = name(
		[...v6, ...v4],
		at(v4),
	);
	await using watching = new Watching(resolver);
	await clock.advance(0);
	for (const address of at(v6)) {
		answering.add(address);
	}
	probed.length = 0;
	state.found = { addresses: [...v6, ...v4, "10.0.0.3"] };
	await clock.advance(30_000);
	expect(probed).toEqual([]);
	expect(watching.addresses).toEqual(at([...v4, "10.0.0.3"]));
});

test("a lost connection changes the family only if none of its addresses answers", async () => {
	const { clock, answering, resolver } = name(
		[...v6, ...v4],
		at([...v6, ...v4]),
	);
	await using watching = new Watching(resolver);
	await clock.advance(1000);
	answering.delete("[2001:db8::1]:50051");
	watching.refresh();
	await clock.advance(1000);
	expect(watching.addresses).toEqual(at(v6));
	answering.delete("[2001:db8::2]:50051");
	watching.refresh();
	await clock.advance(1000);
	expect(watching.addresses).toEqual(at(v4));
});

test("a lost connection does not bring back the family that the system prefers", async () => {
	const { clock, answering, resolver } = name([...v6, ...v4], at(v4));
	await using watching = new Watching(resolver);
	await clock.advance(1000);
	for (const address of at(v6)) {
		answering.add(address);
	}
	watching.refresh();
	await clock.advance(1000);
	expect(watching.addresses).toEqual(at(v4));
});

test("a family that was the only one for a while is kept when the other one returns", async () => {
	const { clock, state, resolver } = name(v4, at([...v6, ...v4]));
	await using watching = new Watching(resolver);
	await clock.advance(0);
	state.found = { addresses: [...v6, ...v4] };
	await clock.advance(30_000);
	expect(watching.seen).toHaveLength(1);
});

test("ending the watch leaves no timer", async () => {
	const { clock, resolver } = name(["10.0.0.1"]);
	const watching = new Watching(resolver);
	await clock.advance(0);
	await watching[Symbol.asyncDispose]();
	expect(clock.pending).toBe(0);
});

test("localhost is resolved by the system's own lookup", async () => {
	const resolver = dnsResolver({ host: "localhost", port: 50051 });
	await using watching = new Watching(resolver);
	await watching.until(() => watching.seen.length > 0);
	expect(watching.addresses?.flat()).toSatisfy((addresses: string[]) =>
		addresses.some((address) => /^(127\.0\.0\.1|\[::1\]):50051$/.test(address)),
	);
});
