import type { BalancerFactory } from "../balancer/balancer.ts";
import {
	balancerNamed,
	balancerNames,
	DEFAULT_BALANCER,
} from "../balancer/policies.ts";
import { PolicyError } from "../policy/policy-error.ts";
import type { CompiledServiceConfig } from "../policy/service-config.ts";

/**
 * The balancer of a channel: one of the user's own; else, of those that the nearest service config lists, the first that
 * is known (gRFC A24); else the one that the option names; else the default.
 *
 * @throws PolicyError when none of those listed is known
 */
export function chooseBalancer(
	option: string | BalancerFactory | undefined,
	configs: readonly CompiledServiceConfig[],
): BalancerFactory {
	if (typeof option === "function") return option;
	const listed = configs.find(
		(config) => config.loadBalancingConfig !== undefined,
	)?.loadBalancingConfig;
	if (listed === undefined) {
		return (
			(option === undefined ? undefined : balancerNamed(option)) ??
			DEFAULT_BALANCER
		);
	}
	for (const { name } of listed) {
		const factory = balancerNamed(name);
		if (factory !== undefined) return factory;
	}
	throw new PolicyError(
		"serviceConfig.loadBalancingConfig",
		`names ${listed.map(({ name }) => name).join(", ")}, none of which is known; the balancers are ${balancerNames().join(", ")}`,
	);
}
