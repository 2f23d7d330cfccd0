import type { BalancerFactory } from "../../balancer/balancer.ts";
import {
	type CompiledServiceConfig,
	parseServiceConfig,
	type ServiceConfig,
} from "../../policy/service-config.ts";
import { type ChosenBalancer, chooseBalancer } from "./choose-balancer.ts";

/** The service configs of a channel: its resolver's, before that of its option. */
export class ServiceConfigs {
	readonly #option: CompiledServiceConfig | undefined;
	readonly #balancer: string | BalancerFactory | undefined;
	readonly #refused: (error: Error) => void;
	#resolvers: CompiledServiceConfig | undefined;
	#nearestFirst: readonly CompiledServiceConfig[];
	#begun = false;

	/** `refused` hears of a bad config of the resolver's that does no harm. */
	constructor(
		setting: {
			readonly serviceConfig: CompiledServiceConfig | undefined;
			readonly balancer: string | BalancerFactory | undefined;
		},
		refused: (error: Error) => void,
	) {
		this.#option = setting.serviceConfig;
		this.#balancer = setting.balancer;
		this.#refused = refused;
		this.#nearestFirst = listOf(undefined, this.#option);
	}

	/** The same list until it changes. */
	get nearestFirst(): readonly CompiledServiceConfig[] {
		return this.#nearestFirst;
	}

	/**
	 * Goes by what the resolver says now, be it nothing, and tells which balancer that means. A bad config leaves the one
	 * before in force; as the first one it throws OptionError (gRFC A21).
	 */
	adopt(given: ServiceConfig | undefined): ChosenBalancer {
		try {
			const config = given && parseServiceConfig(given, "serviceConfig");
			const list = listOf(config, this.#option);
			const chosen = chooseBalancer(this.#balancer, list);
			if (config !== this.#resolvers) {
				this.#resolvers = config;
				this.#nearestFirst = list;
			}
			this.#begun = true;
			return chosen;
		} catch (error) {
			if (!this.#begun) throw error;
			this.#refused(error as Error);
			return chooseBalancer(this.#balancer, this.#nearestFirst);
		}
	}
}

function listOf(
	...configs: readonly (CompiledServiceConfig | undefined)[]
): readonly CompiledServiceConfig[] {
	return configs.filter((config) => config !== undefined);
}
