import type { BalancerFactory } from "../../balancer/balancer.ts";
import {
	balancerNamed,
	balancerNames,
	DEFAULT_BALANCER,
} from "../../balancer/policies.ts";
import { OptionError } from "../../checks/option-error.ts";
import { at } from "../../checks/option-table.ts";
import type { CompiledServiceConfig } from "../../policy/service-config.ts";

/** The choice of a balancer, which can be compared with the present one. */
export interface ChosenBalancer {
	/** Its name. Undefined for a custom balancer. */
	readonly name: string | undefined;
	/** Its config, as in the service config. */
	readonly config: object;
	readonly factory: BalancerFactory;
}

/**
 * Chooses the balancer of a channel. A custom balancer is used first. Next is the first known one in the list of the nearest
 * service config that has such a list (gRFC A24), then the one that the option names, and then the default.
 *
 * @throws OptionError if no balancer in the list is known, or if the config of the first known one has a bad field
 */
export function chooseBalancer(
	option: string | BalancerFactory | undefined,
	configs: readonly CompiledServiceConfig[],
): ChosenBalancer {
	if (typeof option === "function") {
		return { name: undefined, config: {}, factory: option };
	}
	const listed = configs.find(
		(config) => config.loadBalancingConfig !== undefined,
	)?.loadBalancingConfig;
	if (listed === undefined) {
		// Unknown names were refused when the option was checked.
		return named(option ?? DEFAULT_BALANCER, {}, "balancer") as ChosenBalancer;
	}
	const where = "serviceConfig.loadBalancingConfig";
	for (const [index, { name, config }] of listed.entries()) {
		const chosen = named(name, config, at(at(where, index), name));
		if (chosen !== undefined) return chosen;
	}
	throw new OptionError(
		where,
		`names ${listed.map(({ name }) => name).join(", ")}, none of which is known; the balancers are ${balancerNames().join(", ")}`,
	);
}

/** Whether two choices are the same. Then the channel keeps its balancer, with its connections and what it has learnt. */
export function sameBalancer(
	one: ChosenBalancer,
	other: ChosenBalancer,
): boolean {
	return (
		one.name === other.name &&
		(one.name === undefined
			? one.factory === other.factory
			: canonical(one.config) === canonical(other.config))
	);
}

function named(
	name: string,
	config: object,
	where: string,
): ChosenBalancer | undefined {
	const factory = balancerNamed(name, config, where);
	return factory && { name, config, factory };
}

/** Returns the same text for equal JSON, whatever the order of its keys. */
function canonical(json: object): string {
	return JSON.stringify(json, (_, value: unknown) =>
		typeof value === "object" && value !== null && !Array.isArray(value)
			? Object.fromEntries(Object.entries(value).sort())
			: value,
	);
}
