import { OptionError } from "../checks/option-error.ts";
import { chooseBalancer } from "../client/channel/choose-balancer.ts";
import {
	parseServiceConfig,
	type ServiceConfig,
} from "../policy/service-config.ts";
import { DiscoveryError } from "./discovery-error.ts";

/**
 * The service config that a key of a discovery system holds, as JSON. While it is
 * invalid, the last valid one stays in force, also when a new watch begins.
 */
export class WatchedConfig {
	/** The key, as error messages name it. */
	readonly #name: string;
	#text: string | undefined;
	#current: ServiceConfig | undefined;

	constructor(name: string) {
		this.#name = name;
	}

	/** The last valid config; undefined if there is none. */
	get current(): ServiceConfig | undefined {
		return this.#current;
	}

	/**
	 * Takes the current content of the key; undefined if the key does not exist.
	 *
	 * @throws DiscoveryError for an invalid config, once for each
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
					: `it is not JSON (${(error as Error).message})`;
			throw new DiscoveryError(
				"badAnswer",
				`the service config in ${this.#name} is invalid and ignored (the last valid one, if any, stays in force): ${why}`,
				error,
			);
		}
	}
}
