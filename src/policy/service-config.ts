import type { MethodPolicy } from "./method-policy.ts";

/**
 * gRPC's service config, in its JSON spelling. Unknown fields are ignored, an
 * invalid known one rejects the whole.
 */
export interface ServiceConfig {
	/** For each method the entry that names it; else the one that names its service; else the one named `{}`. */
	methodConfig?:
		| readonly (MethodPolicy & {
				name: readonly { service?: string; method?: string }[];
		  })[]
		| undefined;
	/** Of the channel: retries stop while the server fails too much of what it is sent (gRFC A6). */
	retryThrottling?: { maxTokens: number; tokenRatio: number } | undefined;
	/** The first balancer that is known is used: `[{ round_robin: {} }]`. */
	loadBalancingConfig?: readonly Record<string, object>[] | undefined;
	/** The service whose health the servers are asked for (gRFC A17). */
	healthCheckConfig?: { serviceName: string } | undefined;
}
