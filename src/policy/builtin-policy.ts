import {
	type CompiledMethodPolicy,
	compileMethodPolicy,
	type MethodPolicy,
} from "./method-policy.ts";
import type { RetryThrottling } from "./service-config.ts";

/** The built-in policy of a unary method. */
export const unaryPolicy: MethodPolicy = { timeout: "10s" };

/** The built-in policy of a method whose `idempotency_level` is NO_SIDE_EFFECTS or IDEMPOTENT. */
export const idempotentPolicy: MethodPolicy = {
	retryPolicy: {
		maxAttempts: 3,
		initialBackoff: "0.05s",
		maxBackoff: "1s",
		backoffMultiplier: 2,
		retryableStatusCodes: ["UNAVAILABLE"],
	},
};

/** The retry throttling of a channel whose service config has none. */
export const builtinRetryThrottling: RetryThrottling = {
	maxTokens: 100,
	tokenRatio: 0.1,
};

/** Returns the built-in policy of a method. It applies to each field that no other level sets. */
export function builtinPolicy(method: {
	readonly streaming: boolean;
	readonly idempotent: boolean;
}): CompiledMethodPolicy {
	return compileMethodPolicy(
		{
			...(method.streaming ? {} : unaryPolicy),
			...(method.idempotent ? idempotentPolicy : {}),
		},
		"builtin",
	);
}
