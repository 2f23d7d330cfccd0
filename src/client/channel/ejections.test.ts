/** Endpoints that fail are taken out of the balancing for a while (gRFC A50, and Envoy's consecutive failures). */

import { expect, test } from "vitest";
import {
	type Answer,
	broken,
	busy,
	fine,
} from "../../../testdata/harness/attempts.ts";
import {
	connectedFleet,
	type FleetClient,
	fleetOf,
} from "../../../testdata/harness/fleet.ts";
import { refuse } from "../../../testdata/harness/http2-server.ts";
import { seeded } from "../../../testdata/harness/seeded.ts";

const status =
	(code: number): Answer =>
	({ stream }) =>
		refuse(stream, code, "sick");

const EJECTED =
	"ejected for 30 s: 5 calls in a row failed, the last with [unavailable]";

/** Calls until one of its servers, which is busy, has been ejected. */
async function withEjected(name: string, names: string): Promise<FleetClient> {
	const made = await connectedFleet(names);
	made.fleet.get(name).does = busy;
	await made.outcomes(5 * names.length);
	expect(made.verdicts()).toEqual([`${name} ejected: ${EJECTED}`]);
	made.fleet.seen();
	return made;
}

test("five failures in a row eject an endpoint: calls go elsewhere, and its connection stays", async () => {
	await using made = await connectedFleet("abc");
	const { fleet } = made;
	fleet.get("b").does = busy;
	expect(await made.outcomes(30)).toEqual({ ok: 25, unavailable: 5 });
	expect(fleet.seen()).toMatchObject({ b: 5 });
	expect(made.states.slice(-2)).toEqual([
		`b ejected: ${EJECTED}`,
		`b transientFailure: ${EJECTED}`,
	]);
	expect(fleet.get("b").sessions.size).toBe(1);
	expect(made.core.snapshot()).toMatchObject({
		endpoints: [
			{ ejected: false },
			{ ejected: true, state: "transientFailure", connections: [{}] },
			{ ejected: false },
		],
	});
});

test.each([
	[4, "deadline_exceeded"],
	[13, "internal"],
	[14, "unavailable"],
])("status %i, %s, is a failure that counts", async (code, name) => {
	await using made = await connectedFleet("ab");
	made.fleet.get("a").does = status(code);
	expect(await made.outcomes(30)).toEqual({ ok: 25, [name]: 5 });
	expect(made.verdicts()).toEqual([expect.stringContaining(`[${name}]`)]);
});

test.each([2, 3, 5, 7, 8, 16, 17, 2020])(
	"status %i is the answer of a server that works",
	async (code) => {
		await using made = await connectedFleet("ab");
		made.fleet.get("a").does = status(code);
		await made.outcomes(30);
		expect(made.verdicts()).toEqual([]);
		expect(made.fleet.seen()).toEqual({ a: 15, b: 15 });
	},
);

test("with UNKNOWN among failureStatusCodes, it and codes that gRPC does not know are failures", async () => {
	for (const code of [2, 2020]) {
		await using made = await connectedFleet("ab", {
			outlierDetection: { failureStatusCodes: ["UNKNOWN"] },
		});
		made.fleet.get("a").does = status(code);
		expect(await made.outcomes(30)).toEqual({ ok: 25, unknown: 5 });
		expect(made.verdicts()).toEqual([expect.stringContaining("[unknown]")]);
	}
});

test("calls that get no answer count with their deadlines", async () => {
	await using made = await connectedFleet("ab");
	made.fleet.get("a").does = () => {};
	const calls = Array.from({ length: 10 }, () =>
		made.client.echo({}, { timeoutMs: 100 }).catch(() => {}),
	);
	await made.fleet.get("a").request(5);
	await made.clock.advance(100);
	await Promise.all(calls);
	expect(made.verdicts()).toEqual([
		expect.stringContaining("[deadline_exceeded]"),
	]);
});

test("one call that goes well in between, and the count begins anew", async () => {
	await using made = await connectedFleet("ab");
	const { fleet } = made;
	for (let round = 0; round < 3; round++) {
		fleet.get("a").does = busy;
		await made.outcomes(8);
		fleet.get("a").does = fine;
		await made.outcomes(2);
	}
	expect(made.verdicts()).toEqual([]);
});

test("never more than half of the endpoints are ejected", async () => {
	await using made = await connectedFleet("abcd");
	for (const server of made.fleet.servers) server.does = broken;
	await made.outcomes(100);
	expect(made.verdicts()).toHaveLength(2);
	made.fleet.seen();
	expect(await made.outcomes(20)).toEqual({ internal: 20 });
	const seen = Object.values(made.fleet.seen()).sort();
	expect(seen).toEqual([0, 0, 10, 10]);
});

test("of three one is ejected, of one none", async () => {
	await using three = await connectedFleet("abc");
	for (const server of three.fleet.servers) server.does = busy;
	await three.outcomes(60);
	expect(three.verdicts()).toHaveLength(1);
	await using one = await connectedFleet("a");
	one.fleet.get("a").does = busy;
	await one.outcomes(60);
	expect(one.verdicts()).toEqual([]);
});

test("an ejected endpoint comes back after 30 s on its old connection, and after 60 s the next time", async () => {
	await using made = await withEjected("b", "ab");
	const { fleet, clock } = made;
	await clock.advance(29_000);
	await made.outcomes(10);
	expect(fleet.seen()).toEqual({ a: 10, b: 0 });
	await clock.advance(1_000);
	expect(made.states.slice(-2)).toEqual([
		"b uneject: its ejection is over",
		"b ready",
	]);
	await made.outcomes(10);
	expect(fleet.seen()).toEqual({ a: 5, b: 5 });
	expect(fleet.get("b").accepted).toBe(1);
	expect(made.verdicts().at(-1)).toBe(
		`b ejected: ${EJECTED.replace("30 s", "60 s")}`,
	);
	fleet.get("b").does = fine;
	await clock.advance(50_000);
	expect(made.verdicts()).toHaveLength(3);
	await clock.advance(10_000);
	expect(made.verdicts()).toHaveLength(4);
	expect(await made.outcomes(10)).toEqual({ ok: 10 });
	expect(fleet.seen()).toEqual({ a: 5, b: 5 });
});

test("with the default balancer, too", async () => {
	await using made = await connectedFleet("abc", {
		balancer: "least_request",
		environment: { random: seeded(1) },
	});
	made.fleet.get("b").does = busy;
	const burst = Array.from({ length: 30 }, () => made.outcomes(1));
	await Promise.all(burst);
	expect(made.verdicts()).toEqual([`b ejected: ${EJECTED}`]);
	made.fleet.seen();
	expect(await made.outcomes(50)).toEqual({ ok: 50 });
	expect(made.fleet.seen()).toMatchObject({ b: 0 });
});

test("an ejection is no reason to resolve again; a lost connection is", async () => {
	await using made = await withEjected("b", "ab");
	expect(made.resolver.refreshes).toBe(0);
	made.fleet.get("a").cut();
	await made.heard("a idle");
	expect(made.resolver.refreshes).toBe(1);
});

test("pick_first, which sticks to one endpoint, is not told of ejections", async () => {
	await using made = await fleetOf("ab", { balancer: "pick_first" });
	made.fleet.get("a").does = busy;
	expect(await made.outcomes(20)).toEqual({ unavailable: 20 });
	expect(made.verdicts()).toEqual([]);
	expect(made.fleet.seen()).toEqual({ a: 20, b: 0 });
});

test("outlierDetection: false switches it off", async () => {
	await using made = await connectedFleet("ab", { outlierDetection: false });
	made.fleet.get("a").does = busy;
	expect(await made.outcomes(40)).toEqual({ ok: 20, unavailable: 20 });
	expect(made.verdicts()).toEqual([]);
});

test("its options are heeded", async () => {
	await using made = await connectedFleet("ab", {
		outlierDetection: {
			consecutiveFailures: 2,
			baseEjectionTime: "7s",
			interval: "1s",
		},
	});
	made.fleet.get("a").does = busy;
	expect(await made.outcomes(20)).toEqual({ ok: 18, unavailable: 2 });
	expect(made.verdicts()).toEqual([
		"a ejected: ejected for 7 s: 2 calls in a row failed, the last with [unavailable]",
	]);
	await made.clock.advance(8_000);
	expect(made.verdicts()).toHaveLength(2);
});

test("an endpoint that fails much more than the others is ejected at the end of an interval", async () => {
	await using made = await connectedFleet("abcdef");
	let calls = 0;
	made.fleet.get("c").does = (request) => {
		calls += 1;
		(calls % 5 === 0 ? fine : busy)(request);
	};
	await made.outcomes(6 * 110);
	expect(made.verdicts()).toEqual([]);
	await made.clock.advance(10_000);
	expect(made.verdicts()).toEqual([
		expect.stringMatching(/^c ejected: .*88 of its last 110 calls failed/),
	]);
});

test("when no other endpoint is there any more, those ejected are let in again at once: no call has to wait for the others", async () => {
	await using made = await withEjected("b", "ab");
	const { fleet, core } = made;
	fleet.get("b").does = fine;
	const states: string[] = [];
	core.onStateChange((state) => states.push(state));
	await fleet.get("a")[Symbol.asyncDispose]();
	await made.heard("b uneject");
	expect(await made.outcomes(4)).toEqual({ ok: 4 });
	expect(made.verdicts().slice(1)).toEqual([
		"b uneject: no other endpoint is ready",
	]);
	expect(fleet.seen()).toMatchObject({ b: 4 });
	expect(states).toEqual([]);
});

test("what has been let in for want of others is not said to come back once more when its time is over", async () => {
	await using made = await withEjected("b", "ab");
	await made.fleet.get("a")[Symbol.asyncDispose]();
	await made.heard("b uneject");
	await made.clock.advance(60_000);
	expect(made.verdicts()).toHaveLength(2);
});

test("an endpoint that the resolver drops takes its ejection with it, and those left come back if they are too few", async () => {
	await using made = await withEjected("b", "abcd");
	made.resolver.tell({ endpoints: made.fleet.endpoints("b") });
	await made.heard("d shutdown");
	expect(made.verdicts().slice(1)).toEqual([
		"b uneject: too few other endpoints are left",
	]);
	made.fleet.get("b").does = fine;
	expect(await made.outcomes(5)).toEqual({ ok: 5 });
});

test("a call that is retried goes past an endpoint that fails, which is ejected all the same", async () => {
	await using made = await connectedFleet("ab", {
		retryPolicy: {
			maxAttempts: 2,
			initialBackoff: 0.001,
			maxBackoff: 0.001,
			backoffMultiplier: 1,
			retryableStatusCodes: ["UNAVAILABLE"],
		},
		hooks: { retry: () => void made.clock.advance(1) },
	});
	made.fleet.get("a").does = busy;
	expect(await made.outcomes(20)).toEqual({ ok: 20 });
	expect(made.verdicts()).toEqual([`a ejected: ${EJECTED}`]);
});
