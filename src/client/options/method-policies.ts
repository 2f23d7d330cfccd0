import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { builtinPolicy } from "../../policy/builtin-policy.ts";
import {
	type CompiledMethodPolicy,
	forStreaming,
	mergePolicies,
} from "../../policy/method-policy.ts";
import {
	type CompiledServiceConfig,
	methodPolicyOf,
} from "../../policy/service-config.ts";

/** The policies from the options of a client, and from its generated code. */
export interface ClientPolicies {
	readonly client: CompiledMethodPolicy;
	/** Policies of single methods, by the local name of the method. */
	readonly methods: ReadonlyMap<string, CompiledMethodPolicy>;
	readonly baked: CompiledServiceConfig | undefined;
}

/** The service configs of a channel, the nearest first. The list stays the same object until one of them changes. */
export interface ServiceConfigSource {
	readonly serviceConfigs: readonly CompiledServiceConfig[];
}

/** Where the calls of a method read its policy. */
export interface PolicySource {
	/** The same object for as long as the service configs are the same. */
	readonly current: CompiledMethodPolicy;
}

/**
 * Computes the policy of one method. Each field comes from the nearest level that sets it. The levels, from near to far:
 * the client's options for the method, the client's options for all methods, the service configs of the channel, the
 * policies that the plugin put into the generated code, and the built-in defaults.
 */
export class MethodPolicies implements PolicySource {
	readonly #method: DescMethod;
	readonly #source: ServiceConfigSource;
	readonly #near: CompiledMethodPolicy;
	readonly #far: CompiledMethodPolicy;
	#configs: readonly CompiledServiceConfig[] | undefined;
	#merged: CompiledMethodPolicy = {};

	constructor(
		method: DescMethod,
		own: ClientPolicies | undefined,
		source: ServiceConfigSource,
	) {
		const streaming = method.methodKind !== "unary";
		this.#method = method;
		this.#source = source;
		this.#near = mergePolicies(
			own?.methods.get(method.localName),
			own && (streaming ? forStreaming(own.client) : own.client),
		);
		this.#far = mergePolicies(
			own?.baked && this.#of(own.baked),
			builtinPolicy({ streaming, idempotent: isIdempotent(method) }),
		);
	}

	/** The merged policy. It is computed again only when the service configs have changed, not for each call. */
	get current(): CompiledMethodPolicy {
		const configs = this.#source.serviceConfigs;
		if (this.#configs !== configs) {
			this.#configs = configs;
			this.#merged = mergePolicies(
				this.#near,
				...configs.map((config) => this.#of(config)),
				this.#far,
			);
		}
		return this.#merged;
	}

	#of(config: CompiledServiceConfig): CompiledMethodPolicy | undefined {
		const { parent, name, methodKind } = this.#method;
		return methodPolicyOf(
			config,
			parent.typeName,
			name,
			methodKind !== "unary",
		);
	}
}

/** Whether the `idempotency_level` of the method is NO_SIDE_EFFECTS or IDEMPOTENT. */
export function isIdempotent(method: DescMethod): boolean {
	return (
		method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ||
		method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT
	);
}
