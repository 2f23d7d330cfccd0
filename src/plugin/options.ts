import type { EcmaScriptPluginOptions } from "@bufbuild/protoplugin";
import { nearMiss } from "../checks/near-miss.ts";

const own = ["emit", "grpc_service_config", "retry_max_attempts"] as const;

const flag = ["true", "false", "1", "0"];

/** Options of every protoplugin, with the values that they can have; those of imports have forms of their own. */
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

/** What protoc-gen-homing is told beyond the options of every protoplugin. */
export interface HomingOptions {
	/** Which half of a service to generate. */
	readonly emit: "client" | "server" | "both";
	/** Paths of gRPC service configs to bake in. */
	readonly grpcServiceConfig: readonly string[];
	/** For retry policies without maxAttempts. */
	readonly retryMaxAttempts: number | undefined;
}

/**
 * @throws Error for an option that we do not know, or a value that it cannot have
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
					`${key} is not an option of protoc-gen-homing; ${meant === undefined ? "" : `did you mean ${meant}? `}its own are ${spoken(own, "and")}`,
				);
			}
		}
	}
	return { emit, grpcServiceConfig, retryMaxAttempts };
}

/**
 * Holds what protoplugin refuses without a word on why.
 *
 * @param parameter of the request: options, separated by commas
 * @throws Error that lists what the option can be
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
			`invalid option "${option}": ${key} must be ${spoken(listed(key, allowed), "or")}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
		);
	}
}

/** As they are written; a dot before them is taken, too. */
function listed(key: string, allowed: readonly string[]): string[] {
	const plain = allowed.filter((value) => !/^(|0|1|\..*)$/.test(value));
	return key === "target" ? [...plain, "several of them, as in js+dts"] : plain;
}

/** "a, b and c" */
function spoken(words: readonly string[], before: string): string {
	return `${words.slice(0, -1).join(", ")} ${before} ${words.at(-1)}`;
}

/**
 * @throws Error for what protoplugin allows and we do not: our runtime is ESM
 * only, and of bootstrapping nobody but protobuf-es has any use
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
