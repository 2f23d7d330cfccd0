import type { BalancerFactory } from "../../balancer/balancer.ts";
import {
	type CompiledServiceConfig,
	parseServiceConfig,
	type ServiceConfig,
} from "../../policy/service-config.ts";
import { type ChosenBalancer, chooseBalancer } from "./choose-balancer.ts";

/** The service configs of a channel. That of the resolver overrides that of the option. */
export class ServiceConfigs {
	readonly #option: CompiledServiceConfig | undefined;
	readonly #balancer: string | BalancerFactory | undefined;
	readonly #refused: (error: Error) => void;
	#resolvers: CompiledServiceConfig | undefined;
	#nearestFirst: readonly CompiledServiceConfig[];
	#begun = false;

	/** @param refused called with the error of a bad config from the resolver when the previous one stays in force */
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

	/** The configs, from near to far. The same array until they change. */
	get nearestFirst(): readonly CompiledServiceConfig[] {
		return this.#nearestFirst;
	}

	/**
	 * Takes over the config of the resolver, or that it has none, and returns the balancer to use. After a bad config, the
	 * previous one stays in force. If there is no previous one, it throws OptionError (gRFC A21).
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
