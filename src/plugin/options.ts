import type { EcmaScriptPluginOptions } from "@bufbuild/protoplugin";
import { nearMiss } from "../checks/near-miss.ts";

const own = ["emit", "grpc_service_config", "retry_max_attempts"] as const;

const flag = ["true", "false", "1", "0"];

/** The options that protoplugin itself reads, with the values that they allow; undefined means other forms of values. */
const standard: Readonly<Record<string, readonly string[] | undefined>> = {
	target: ["ts", "js", "dts"],
	import_extension: ["js", "ts", "none", "", ".js", ".ts"],
	ts_nocheck: flag,
	keep_empty_files: flag,
	elide_plugin_version: flag,
	js_import_style: undefined,
	rewrite_imports: undefined,
	map_imports: undefined,
};

/** The options of protoc-gen-homing itself. */
export interface HomingOptions {
	/** Which half of a service to generate. */
	readonly emit: "client" | "server" | "both";
	/** The paths of gRPC service configs to build into the clients. */
	readonly grpcServiceConfig: readonly string[];
	/** The `maxAttempts` of retry policies in these configs that have none. If undefined, such a policy is an error. */
	readonly retryMaxAttempts: number | undefined;
}

/**
 * Reads the plugin's own options.
 *
 * @throws Error for an unknown option and for an invalid value
 */
export function parseHomingOptions(
	raw: readonly { key: string; value: string }[],
): HomingOptions {
	let emit: HomingOptions["emit"] = "both";
	const grpcServiceConfig: string[] = [];
	let retryMaxAttempts: number | undefined;
	for (const { key, value } of raw) {
		switch (key) {
			case "emit":
				if (value !== "client" && value !== "server" && value !== "both") {
					throw new Error("emit must be client, server or both");
				}
				emit = value;
				break;
			case "grpc_service_config":
			case "grpc-service-config":
				if (value === "") {
					throw new Error(`${key} must name a file`);
				}
				grpcServiceConfig.push(value);
				break;
			case "retry_max_attempts":
				retryMaxAttempts = Number(value);
				if (!Number.isInteger(retryMaxAttempts) || retryMaxAttempts < 2) {
					throw new Error("retry_max_attempts must be an integer of 2 or more");
				}
				break;
			default: {
				const meant = nearMiss(key, [...own, ...Object.keys(standard)]);
				throw new Error(
					`${key} is not an option of protoc-gen-homing; ${meant === undefined ? "" : `did you mean ${meant}? `}its own options are ${enumerated(own, "and")}`,
				);
			}
		}
	}
	return { emit, grpcServiceConfig, retryMaxAttempts };
}

/**
 * Checks the values of the options that protoplugin reads, because protoplugin's own errors do not say which values are
 * allowed.
 *
 * @param parameter the parameter of the request: options, separated by commas
 * @throws Error that lists the values that the option allows
 */
export function assertStandardValues(parameter: string): void {
	for (const option of parameter.split(",")) {
		const [, key = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(option) ?? [];
		const allowed = Object.hasOwn(standard, key) ? standard[key] : undefined;
		if (allowed === undefined) continue;
		const values = key === "target" ? value.split("+") : [value];
		const bad = values.find((value) => !allowed.includes(value));
		if (bad === undefined) continue;
		const meant = nearMiss(bad, allowed);
		throw new Error(
			`invalid option "${option}": ${key} must be ${enumerated(listed(key, allowed), "or")}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
		);
	}
}

/** The allowed values to show in an error. Leaves out other spellings of them, such as those with a dot. */
function listed(key: string, allowed: readonly string[]): string[] {
	const plain = allowed.filter((value) => !/^(|0|1|\..*)$/.test(value));
	return key === "target" ? [...plain, "several of them, as in js+dts"] : plain;
}

/** Joins words as in "a, b and c". */
function enumerated(words: readonly string[], conjunction: string): string {
	return `${words.slice(0, -1).join(", ")} ${conjunction} ${words.at(-1)}`;
}

/**
 * Checks the options that protoplugin allows but homing does not.
 *
 * @throws Error for CommonJS, because homing is an ES module, and for
 * `bootstrap_wkt`, which only protobuf-es itself needs
 */
export function assertStandardOptions(options: EcmaScriptPluginOptions): void {
	if (options.jsImportStyle !== "module") {
		throw new Error(
			`invalid option "js_import_style=${options.jsImportStyle}": generated code imports homing, which is an ECMAScript module; leave the option out, or set it to module`,
		);
	}
	if (options.bootstrapWkt) {
		throw new Error(
			'invalid option "bootstrap_wkt": protoc-gen-homing does not have it; leave it out',
		);
	}
}
