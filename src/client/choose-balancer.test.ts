import { describe, expect, test } from "vitest";
import type { BalancerFactory } from "../balancer/balancer.ts";
import { pickFirst } from "../balancer/pick-first.ts";
import { roundRobin } from "../balancer/round-robin.ts";
import {
	type CompiledServiceConfig,
	parseServiceConfig,
} from "../policy/service-config.ts";
import { chooseBalancer } from "./choose-balancer.ts";

/** A config that lists these balancers. */
function listing(...names: string[]): CompiledServiceConfig {
	const loadBalancingConfig = names.map((name) => ({ [name]: {} }));
	return parseServiceConfig({ loadBalancingConfig }, "test");
}

const own: BalancerFactory = () => {
	throw new Error("only compared");
};

test("is the one that the option names", () => {
	expect(chooseBalancer("pick_first", [])).toBe(pickFirst);
	expect(chooseBalancer("round_robin", [])).toBe(roundRobin);
	expect(chooseBalancer(undefined, [])).toBe(roundRobin);
});

describe("a service config", () => {
	test("goes before a name, and not before a balancer of one's own", () => {
		const configs = [listing("pick_first")];
		expect(chooseBalancer("round_robin", configs)).toBe(pickFirst);
		expect(chooseBalancer(own, configs)).toBe(own);
		expect(chooseBalancer(own, [listing("unheard_of")])).toBe(own);
	});

	test("means the first of its list that is known", () => {
		const configs = [listing("xds_wrr_locality", "pick_first", "round_robin")];
		expect(chooseBalancer(undefined, configs)).toBe(pickFirst);
	});

	test("that is nearer goes first, unless it lists none", () => {
		const [near, far] = [listing("pick_first"), listing("round_robin")];
		expect(chooseBalancer(undefined, [near, far])).toBe(pickFirst);
		expect(chooseBalancer(undefined, [listing(), near])).toBe(pickFirst);
	});

	test("that lists only unknown ones is refused, with those there are", () => {
		expect(() => chooseBalancer(undefined, [listing("grpclb", "rls")])).toThrow(
			"serviceConfig.loadBalancingConfig: names grpclb, rls, none of which is known; the balancers are pick_first, round_robin",
		);
	});
});
