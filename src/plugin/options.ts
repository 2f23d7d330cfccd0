import type { EcmaScriptPluginOptions } from "@bufbuild/protoplugin";

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
			default:
				throw new Error(
					`${key} is not an option of protoc-gen-homing; its own are emit, grpc_service_config and retry_max_attempts`,
				);
		}
	}
	return { emit, grpcServiceConfig, retryMaxAttempts };
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
