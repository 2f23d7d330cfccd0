import type { BalancerFactory } from "../../balancer/balancer.ts";
import {
	balancerNamed,
	balancerNames,
	DEFAULT_BALANCER,
} from "../../balancer/policies.ts";
import { OptionError } from "../../checks/option-error.ts";
import { at } from "../../checks/option-table.ts";
import type { CompiledServiceConfig } from "../../policy/service-config.ts";

/** Which balancer a channel is to have: to be compared with the one that it has. */
export interface ChosenBalancer {
	/** undefined: the user's own. */
	readonly name: string | undefined;
	/** As the service config has it. */
	readonly config: object;
	readonly factory: BalancerFactory;
}

/**
 * The balancer of a channel: one of the user's own; else, of those that the nearest service config lists, the first that
 * is known (gRFC A24); else the one that the option names; else the default.
 *
 * @throws OptionError when none of those listed is known, or the config of the first that is has a bad field
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
		// Unknown names have been refused with the option.
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

/** Whether one balancer does for both, so that a channel keeps the one that it has, with its connections and all it has learnt. */
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

/** The same text for the same JSON, in whatever order its keys are. */
function canonical(json: object): string {
	return JSON.stringify(json, (_, value: unknown) =>
		typeof value === "object" && value !== null && !Array.isArray(value)
			? Object.fromEntries(Object.entries(value).sort())
			: value,
	);
}
