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

/** What a client's own options say. */
export interface ClientPolicies {
	readonly client: CompiledMethodPolicy;
	/** By the method's local name. */
	readonly methods: ReadonlyMap<string, CompiledMethodPolicy>;
	readonly baked: CompiledServiceConfig | undefined;
}

/**
 * The policy of one method: each field from the nearest level that sets it. The levels are the client's options for the
 * method, those for all, the service configs of the channel, what the plugin baked in, and what is built in.
 */
export class MethodPolicies {
	readonly #method: DescMethod;
	readonly #near: CompiledMethodPolicy;
	readonly #far: CompiledMethodPolicy;
	#configs: readonly CompiledServiceConfig[] | undefined;
	#merged: CompiledMethodPolicy = {};

	constructor(method: DescMethod, own: ClientPolicies | undefined) {
		const streaming = method.methodKind !== "unary";
		this.#method = method;
		this.#near = mergePolicies(
			own?.methods.get(method.localName),
			own && (streaming ? forStreaming(own.client) : own.client),
		);
		this.#far = mergePolicies(
			own?.baked && this.#of(own.baked),
			builtinPolicy({ streaming, idempotent: isIdempotent(method) }),
		);
	}

	/** The same object for as long as the channel's service configs are the same. */
	under(configs: readonly CompiledServiceConfig[]): CompiledMethodPolicy {
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

/** By its `idempotency_level`. */
export function isIdempotent(method: DescMethod): boolean {
	return (
		method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS ||
		method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT
	);
}
