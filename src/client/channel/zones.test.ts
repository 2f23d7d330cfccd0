/** `localZone`: calls prefer endpoints of their own zone while there are enough of them. */

import { expect, test } from "vitest";
import { busy } from "../../../testdata/harness/attempts.ts";
import {
	connectedFleet,
	type Fleet,
	type FleetOptions,
	ToldResolver,
} from "../../../testdata/harness/fleet.ts";
import { seeded } from "../../../testdata/harness/seeded.ts";
import type { Endpoint } from "../../discovery/resolver.ts";

/** `zones`: "aab" puts the first two servers in zone a, and the third in zone b; "-" is no zone. */
function inZones(fleet: Fleet, zones: string): Endpoint[] {
	return fleet
		.endpoints()
		.slice(0, zones.length)
		.map((endpoint, n) =>
			zones[n] === "-" ? endpoint : { ...endpoint, zone: zones[n] },
		);
}

function zoned(zones: string, options: FleetOptions = {}): FleetOptions {
	return {
		localZone: "a",
		resolver: (fleet) => new ToldResolver({ endpoints: inZones(fleet, zones) }),
		environment: { random: seeded(1) },
		...options,
	};
}

test("calls stay in the zone; the others are connected to all the same", async () => {
	await using made = await connectedFleet("pqrs", zoned("aabb"));
	expect(await made.outcomes(40)).toEqual({ ok: 40 });
	expect(made.fleet.seen()).toEqual({ p: 20, q: 20, r: 0, s: 0 });
	expect(made.fleet.get("r").accepted).toBe(1);
});

test("without localZone all are alike", async () => {
	await using made = await connectedFleet(
		"pqrs",
		zoned("aabb", { localZone: undefined }),
	);
	await made.outcomes(40);
	expect(made.fleet.seen()).toEqual({ p: 10, q: 10, r: 10, s: 10 });
});

test("with the default balancer, too", async () => {
	await using made = await connectedFleet(
		"pqrs",
		zoned("aabb", { balancer: "least_request" }),
	);
	await made.outcomes(40);
	expect(made.fleet.seen()).toMatchObject({ r: 0, s: 0 });
});

test("a zone that is too small for its share is not run over: the rest spills over", async () => {
	// One of six: it can take 1.4 × 1/3 of the calls.
	await using made = await connectedFleet("pqrstu", zoned("abbbbb"));
	await made.outcomes(300);
	const { p = 0 } = made.fleet.seen();
	expect(p / 300).toBeGreaterThan(0.35);
	expect(p / 300).toBeLessThan(0.6);
});

test("endpoints of the zone that are ejected leave it too small, and their calls spill over", async () => {
	await using made = await connectedFleet("pqrstu", zoned("aaabbb"));
	const { fleet } = made;
	for (const name of ["p", "q"]) fleet.get(name).does = busy;
	await made.outcomes(60);
	expect(made.verdicts()).toHaveLength(2);
	fleet.seen();
	expect(await made.outcomes(300)).toEqual({ ok: 300 });
	const { r = 0 } = fleet.seen();
	expect(r / 300).toBeGreaterThan(0.35);
	expect(r / 300).toBeLessThan(0.6);
});

test("a zone that is lost costs no call: the others take all, and it takes them back when it is there again", async () => {
	await using made = await connectedFleet("pqrs", zoned("aabb"));
	const { fleet, clock } = made;
	const sessions = ["p", "q"].map((name) => fleet.get(name));
	for (const server of sessions) server.cut();
	for (const name of ["p", "q"]) await made.heard(`${name} idle`);
	expect(await made.outcomes(20)).toEqual({ ok: 20 });
	for (const name of ["p", "q"]) await made.heard(`${name} ready`, 2);
	fleet.seen();
	expect(await made.outcomes(20)).toEqual({ ok: 20 });
	expect(fleet.seen()).toEqual({ p: 10, q: 10, r: 0, s: 0 });
	for (const server of sessions) await server[Symbol.asyncDispose]();
	for (const name of ["p", "q"]) await made.heard(`${name} idle`, 2);
	expect(await made.outcomes(20)).toEqual({ ok: 20 });
	for (const name of ["p", "q"]) await made.heard(`${name} transientFailure`);
	expect(await made.outcomes(20)).toEqual({ ok: 20 });
	expect(fleet.seen()).toMatchObject({ r: 20, s: 20 });
	await clock.advance(0);
});

test("the zone takes the calls once it is there", async () => {
	await using made = await connectedFleet("rs", zoned("bb"));
	await made.outcomes(10);
	expect(made.fleet.seen()).toEqual({ r: 5, s: 5 });
	made.resolver.tell({ endpoints: inZones(made.fleet, "ba") });
	await made.heard("s ready", 2);
	made.fleet.seen();
	await made.outcomes(10);
	expect(made.fleet.seen()).toEqual({ r: 0, s: 10 });
	expect(made.fleet.get("r").accepted).toBe(1);
});

test("a call that is retried leaves the zone when it has tried all of it", async () => {
	await using made = await connectedFleet(
		"pqrs",
		zoned("aabb", {
			outlierDetection: false,
			retryPolicy: {
				maxAttempts: 3,
				initialBackoff: 1,
				maxBackoff: 1,
				backoffMultiplier: 1,
				retryableStatusCodes: ["UNAVAILABLE"],
			},
			hooks: { retry: () => void made.clock.advance(2) },
		}),
	);
	for (const name of ["p", "q"]) made.fleet.get(name).does = busy;
	expect(await made.outcomes(10)).toEqual({ ok: 10 });
	expect(made.fleet.seen()).toMatchObject({ p: 10, q: 10 });
});
