import { OptionError } from "../checks/option-error.ts";
import { chooseBalancer } from "../client/channel/choose-balancer.ts";
import {
	parseServiceConfig,
	type ServiceConfig,
} from "../policy/service-config.ts";
import { DiscoveryError } from "./discovery-error.ts";

/**
 * The service config that a key holds, as JSON. One that is bad leaves the one
 * before in force, also where a watch begins anew.
 */
export class WatchedConfig {
	/** How errors name the key. */
	readonly #name: string;
	#text: string | undefined;
	#current: ServiceConfig | undefined;

	constructor(name: string) {
		this.#name = name;
	}

	/** The last good one; undefined where there is none. */
	get current(): ServiceConfig | undefined {
		return this.#current;
	}

	/**
	 * Goes by what the key holds now; undefined: there is no such key.
	 *
	 * @throws DiscoveryError for a config that is bad, once for each
	 */
	read(text: string | undefined): void {
		if (text === this.#text) return;
		this.#text = text;
		this.#current = text === undefined ? undefined : this.#parse(text);
	}

	#parse(text: string): ServiceConfig {
		try {
			const config = JSON.parse(text);
			chooseBalancer(undefined, [parseServiceConfig(config, "serviceConfig")]);
			return config;
		} catch (error) {
			const why =
				error instanceof OptionError
					? error.message
					: `it is no JSON (${(error as Error).message})`;
			throw new DiscoveryError(
				"badAnswer",
				`the service config in ${this.#name} is bad, and the one before stays: ${why}`,
				error,
			);
		}
	}
}
