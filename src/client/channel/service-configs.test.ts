import { describe, expect, test } from "vitest";
import {
	parseServiceConfig,
	type ServiceConfig,
} from "../../policy/service-config.ts";
import { ServiceConfigs } from "./service-configs.ts";

/** The configs of a channel with this option, and what was refused. */
function channel(option?: ServiceConfig): {
	configs: ServiceConfigs;
	refused: string[];
	/** The timeouts of the configs in force, nearest first. */
	timeouts(): (number | undefined)[];
} {
	const refused: string[] = [];
	const configs = new ServiceConfigs(
		{
			serviceConfig: option && parseServiceConfig(option, "option"),
			balancer: undefined,
		},
		(error) => refused.push(error.message),
	);
	return {
		configs,
		refused,
		timeouts: () =>
			configs.nearestFirst.map(({ methods }) => methods.get("/")?.timeoutMs),
	};
}

function timeout(timeout: number): ServiceConfig {
	return { methodConfig: [{ name: [{}], timeout }] };
}

const bad = { methodConfig: "none" } as unknown as ServiceConfig;

test("the resolver's goes before that of the option", () => {
	const { configs, timeouts } = channel(timeout(1));
	expect(timeouts()).toEqual([1]);
	configs.adopt(timeout(2));
	expect(timeouts()).toEqual([2, 1]);
	configs.adopt(timeout(3));
	expect(timeouts()).toEqual([3, 1]);
});

test("a resolver that brings none any more leaves that of the option", () => {
	const { configs, timeouts } = channel(timeout(1));
	configs.adopt(timeout(2));
	configs.adopt(undefined);
	expect(timeouts()).toEqual([1]);
});

test("without any, the list is empty, and stays the same list", () => {
	const { configs } = channel();
	const { nearestFirst } = configs;
	expect(nearestFirst).toEqual([]);
	configs.adopt(undefined);
	configs.adopt(undefined);
	expect(configs.nearestFirst).toBe(nearestFirst);
});

test("tells the balancer that they mean", () => {
	const { configs } = channel({ loadBalancingConfig: [{ pick_first: {} }] });
	expect(configs.adopt(undefined).name).toBe("pick_first");
	expect(
		configs.adopt({ loadBalancingConfig: [{ round_robin: {} }] }).name,
	).toBe("round_robin");
	expect(configs.adopt(timeout(1)).name).toBe("pick_first");
});

describe.each<[string, ServiceConfig, string]>([
	["is malformed", bad, "serviceConfig.methodConfig"],
	[
		"lists no known balancer",
		{ loadBalancingConfig: [{ unheard_of: {} }] },
		"serviceConfig.loadBalancingConfig",
	],
	[
		"configures its balancer badly",
		{ loadBalancingConfig: [{ least_request: { choiceCount: 1 } }] },
		"serviceConfig.loadBalancingConfig[0].least_request.choiceCount",
	],
])("a config that %s", (_, config, path) => {
	test("as the first one throws", () => {
		const { configs, refused } = channel();
		expect(() => configs.adopt(config)).toThrow(path);
		expect(refused).toEqual([]);
	});

	test("leaves the one before, balancer and all, and is told", () => {
		const { configs, refused, timeouts } = channel();
		configs.adopt({
			...timeout(2),
			loadBalancingConfig: [{ pick_first: {} }],
		});
		expect(configs.adopt(config).name).toBe("pick_first");
		expect(timeouts()).toEqual([2]);
		expect(refused).toHaveLength(1);
		expect(refused[0]).toContain(path);
	});

	test("after a resolution without any leaves it at that", () => {
		const { configs, refused, timeouts } = channel(timeout(1));
		configs.adopt(undefined);
		expect(configs.adopt(config).name).toBe("least_request");
		expect(timeouts()).toEqual([1]);
		expect(refused).toHaveLength(1);
	});
});
