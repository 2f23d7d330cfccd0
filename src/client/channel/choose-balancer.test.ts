import { describe, expect, test } from "vitest";
import type { BalancerFactory } from "../../balancer/balancer.ts";
import {
	type CompiledServiceConfig,
	parseServiceConfig,
} from "../../policy/service-config.ts";
import { chooseBalancer, sameBalancer } from "./choose-balancer.ts";

/** A config that lists these balancers, each with its config or without. */
function listing(
	...list: (string | Record<string, object>)[]
): CompiledServiceConfig {
	const loadBalancingConfig = list.map((entry) =>
		typeof entry === "string" ? { [entry]: {} } : entry,
	);
	return parseServiceConfig({ loadBalancingConfig }, "test");
}

function nameOf(
	...args: Parameters<typeof chooseBalancer>
): string | undefined {
	return chooseBalancer(...args).name;
}

const own: BalancerFactory = () => {
	throw new Error("only compared");
};

test("is the one that the option names, by default least_request", () => {
	expect(nameOf("pick_first", [])).toBe("pick_first");
	expect(nameOf("round_robin", [])).toBe("round_robin");
	expect(nameOf(undefined, [])).toBe("least_request");
});

describe("a service config", () => {
	test("goes before a name, and not before a balancer of one's own", () => {
		const configs = [listing("pick_first")];
		expect(nameOf("round_robin", configs)).toBe("pick_first");
		expect(chooseBalancer(own, configs).factory).toBe(own);
		expect(chooseBalancer(own, [listing("unheard_of")]).factory).toBe(own);
	});

	test("means the first of its list that is known", () => {
		const configs = [listing("xds_wrr_locality", "pick_first", "round_robin")];
		expect(nameOf(undefined, configs)).toBe("pick_first");
	});

	test("that is nearer goes first, unless it lists none", () => {
		const [near, far] = [listing("pick_first"), listing("round_robin")];
		expect(nameOf(undefined, [near, far])).toBe("pick_first");
		expect(nameOf(undefined, [listing(), near])).toBe("pick_first");
	});

	test("that lists only unknown ones is refused, with those there are", () => {
		expect(() => chooseBalancer(undefined, [listing("grpclb", "rls")])).toThrow(
			"serviceConfig.loadBalancingConfig: names grpclb, rls, none of which is known; the balancers are pick_first, round_robin, least_request, ring_hash",
		);
	});

	test("with a bad config of the balancer that it means is refused, naming the field", () => {
		const config = listing("rls", { least_request: { choiceCount: 1 } });
		expect(() => chooseBalancer(undefined, [config])).toThrow(
			/^serviceConfig\.loadBalancingConfig\[1\]\.least_request\.choiceCount: /,
		);
	});

	test("may say anything of the balancers behind the one that it means", () => {
		const config = listing("round_robin", {
			least_request: { choiceCount: 1 },
		});
		expect(nameOf(undefined, [config])).toBe("round_robin");
	});
});

describe("two choices are the same balancer", () => {
	const chosen = (...list: Parameters<typeof listing>) =>
		chooseBalancer(undefined, [listing(...list)]);

	test("when name and config are the same, in whatever order the fields are", () => {
		const sizes = { minRingSize: 10, maxRingSize: 20 };
		const turned = { maxRingSize: 20, minRingSize: 10 };
		expect(
			sameBalancer(chosen({ ring_hash: sizes }), chosen({ ring_hash: turned })),
		).toBe(true);
		expect(
			sameBalancer(
				chooseBalancer("round_robin", []),
				chosen("unheard_of", "round_robin"),
			),
		).toBe(true);
	});

	test("and not when either differs", () => {
		const one = chosen({ least_request: { choiceCount: 2 } });
		const other = chosen({ least_request: { choiceCount: 3 } });
		expect(sameBalancer(one, other)).toBe(false);
		expect(sameBalancer(chosen("pick_first"), chosen("round_robin"))).toBe(
			false,
		);
	});

	test("when it is the same one of the user's own", () => {
		const mine = chooseBalancer(own, []);
		expect(sameBalancer(mine, chooseBalancer(own, [listing("rls")]))).toBe(
			true,
		);
		expect(
			sameBalancer(
				mine,
				chooseBalancer((helper) => own(helper), []),
			),
		).toBe(false);
		expect(sameBalancer(mine, chooseBalancer(undefined, []))).toBe(false);
	});
});
