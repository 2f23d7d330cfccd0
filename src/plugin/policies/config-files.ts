import { readFileSync } from "node:fs";
import { OptionError } from "../../checks/option-error.ts";
import type { CompiledMethodPolicy } from "../../policy/method-policy.ts";
import {
	type CompiledServiceConfig,
	parseServiceConfig,
} from "../../policy/service-config.ts";
import type { HomingOptions } from "../options.ts";

/** The policy that the config files hold for a method, and the scope of the entry that it comes from. */
export interface ConfiguredPolicy {
	readonly scope: "method" | "service" | "default";
	readonly policy: CompiledMethodPolicy;
}

/** A service or a method that a config file names. */
export interface ConfiguredName {
	/** The path of the config file. */
	readonly path: string;
	readonly service: string;
	/** "" stands for the whole service. */
	readonly method: string;
}

interface ConfigFile {
	readonly path: string;
	readonly config: CompiledServiceConfig;
}

/** The gRPC service configs of the option `grpc_service_config`. */
export class ConfigFiles {
	readonly #files: readonly ConfigFile[];

	/** @throws Error for a file that cannot be read or is invalid, and for two files that name the same method or service */
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
						`${owner} and ${path} both hold a policy of ${described(name)}; keep only one of the two`,
					);
				}
				owners.set(name, path);
			}
		}
	}

	/** The services and methods that the files name. */
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

	/** Picks the policy as gRPC does: from the entry that names the method, or else its service, or else the default. */
	method(service: string, method: string): ConfiguredPolicy | undefined {
		return (
			this.#entry(`${service}/${method}`, "method") ?? this.service(service)
		);
	}

	/** Picks the policy of those methods of a service that no entry names. */
	service(service: string): ConfiguredPolicy | undefined {
		return this.#entry(`${service}/`, "service") ?? this.#entry("/", "default");
	}

	/** Returns what the configs that name the service, or all services, set for its channel. */
	channel(service: string): Omit<CompiledServiceConfig, "methods"> {
		const [first, ...others] = this.#files.filter(
			({ config }) =>
				hasChannelPart(config) &&
				[...config.methods.keys()].some(
					(name) => name === "/" || name.startsWith(`${service}/`),
				),
		);
		if (first === undefined) {
			return {};
		}
		if (others[0] !== undefined) {
			throw new Error(
				`${first.path} and ${others[0].path} both configure the channel of ${service}; keep that in one of the two`,
			);
		}
		const { methods: _, ...channel } = first.config;
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
				? "; write it there, or set the plugin option retry_max_attempts=N for all retry policies that have none"
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

function described(name: string): string {
	return name === "/" ? "all methods" : name.replace(/\/$/, "");
}
