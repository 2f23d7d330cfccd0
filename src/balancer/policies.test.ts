import { expect, test } from "vitest";
import { pickFirst } from "./pick-first.ts";
import { balancerNamed, balancerNames, DEFAULT_BALANCER } from "./policies.ts";
import { roundRobin } from "./round-robin.ts";

test("balancers are found by gRPC's names for them", () => {
	expect(balancerNamed("pick_first")).toBe(pickFirst);
	expect(balancerNamed("round_robin")).toBe(roundRobin);
	expect(balancerNames()).toEqual(["pick_first", "round_robin"]);
});

test.each(["roundRobin", "ROUND_ROBIN", "", "toString"])(
	"%j names none",
	(name) => {
		expect(balancerNamed(name)).toBeUndefined();
	},
);

test("where nobody says otherwise, calls go round", () => {
	expect(DEFAULT_BALANCER).toBe(roundRobin);
});
