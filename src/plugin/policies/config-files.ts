import { readFileSync } from "node:fs";
import { OptionError } from "../../checks/option-error.ts";
import type { CompiledMethodPolicy } from "../../policy/method-policy.ts";
import {
	type CompiledServiceConfig,
	parseServiceConfig,
} from "../../policy/service-config.ts";
import type { HomingOptions } from "../options.ts";

/** What config files say of a method, and of how much else the one that names it speaks. */
export interface ConfiguredPolicy {
	readonly scope: "method" | "service" | "default";
	readonly policy: CompiledMethodPolicy;
}

/** A service, or a method of it, that a config file speaks of. */
export interface ConfiguredName {
	/** Of the file. */
	readonly path: string;
	readonly service: string;
	/** "" for all of the service. */
	readonly method: string;
}

interface ConfigFile {
	readonly path: string;
	readonly config: CompiledServiceConfig;
}

/** The gRPC service configs that the plugin was told to bake in. */
export class ConfigFiles {
	readonly #files: readonly ConfigFile[];

	/** @throws Error for a file that cannot be read, is not valid, or names what another one does */
	constructor(options: HomingOptions) {
		this.#files = options.grpcServiceConfig.map((path) => ({
			path,
			config: readConfig(path, options.retryMaxAttempts),
		}));
		const owners = new Map<string, string>();
		for (const { path, config } of this.#files) {
			for (const name of config.methods.keys()) {
				const owner = owners.get(name);
				if (owner !== undefined) {
					throw new Error(
						`${owner} and ${path} both hold a policy of ${spoken(name)}; leave it in one of them`,
					);
				}
				owners.set(name, path);
			}
		}
	}

	/** Of what the files hold policies, but for the default. */
	names(): ConfiguredName[] {
		return this.#files.flatMap(({ path, config }) =>
			[...config.methods.keys()]
				.filter((name) => name !== "/")
				.map((name) => {
					const [service = "", method = ""] = name.split("/");
					return { path, service, method };
				}),
		);
	}

	/** As gRPC picks it: the entry that names the method, else its service, else the default. */
	method(service: string, method: string): ConfiguredPolicy | undefined {
		return (
			this.#entry(`${service}/${method}`, "method") ?? this.service(service)
		);
	}

	/** For the methods of a service that no entry names. */
	service(service: string): ConfiguredPolicy | undefined {
		return this.#entry(`${service}/`, "service") ?? this.#entry("/", "default");
	}

	/** What the configs that name the service, or all services, say of its channel. */
	channel(service: string): Omit<CompiledServiceConfig, "methods"> {
		const [speaking, ...others] = this.#files.filter(
			({ config }) =>
				hasChannelPart(config) &&
				[...config.methods.keys()].some(
					(name) => name === "/" || name.startsWith(`${service}/`),
				),
		);
		if (speaking !== undefined && others[0] !== undefined) {
			throw new Error(
				`${speaking.path} and ${others[0].path} both configure the channel of ${service}; leave that to one of them`,
			);
		}
		if (speaking === undefined) {
			return {};
		}
		const { methods: _, ...channel } = speaking.config;
		return channel;
	}

	#entry(
		name: string,
		scope: ConfiguredPolicy["scope"],
	): ConfiguredPolicy | undefined {
		for (const { config } of this.#files) {
			const policy = config.methods.get(name);
			if (policy !== undefined) {
				return { scope, policy };
			}
		}
		return undefined;
	}
}

function readConfig(
	path: string,
	retryMaxAttempts: number | undefined,
): CompiledServiceConfig {
	try {
		return parseServiceConfig(JSON.parse(readFileSync(path, "utf8")), "", {
			defaultMaxAttempts: retryMaxAttempts,
		});
	} catch (error) {
		const advice =
			error instanceof OptionError &&
			error.kind === "missing" &&
			error.option.endsWith("retryPolicy.maxAttempts")
				? "; write it there, or set the plugin option retry_max_attempts=N for all that lack it"
				: "";
		throw new Error(
			`grpc_service_config=${path}: ${error instanceof Error ? error.message : error}${advice}`,
		);
	}
}

function hasChannelPart(config: CompiledServiceConfig): boolean {
	const { methods: _, ...channel } = config;
	return Object.keys(channel).length > 0;
}

function spoken(name: string): string {
	return name === "/" ? "all methods" : name.replace(/\/$/, "");
}
