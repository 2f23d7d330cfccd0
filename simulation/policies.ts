import type { ChannelOptions } from "../src/client/options/channel-options.ts";
import type { MethodPolicy } from "../src/policy/method-policy.ts";

/** The options of the simulated clients. */
export interface Policy {
	readonly name: string;
	readonly channel: ChannelOptions;
	readonly method: MethodPolicy;
	/** Not plotted, to keep the plots legible. */
	readonly unplotted?: boolean;
	/** Sets `localZone`. */
	readonly zoned?: boolean;
	/** The retry throttle never closes. homing has no such option; the simulation shows why. */
	readonly unthrottled?: boolean;
}

export const pickFirst: Policy = {
	name: "pick_first",
	channel: { balancer: "pick_first", outlierDetection: false },
	method: { retryPolicy: false },
};

/** What most clients do that balance at all. */
export const roundRobin: Policy = {
	name: "round_robin",
	channel: { balancer: "round_robin", outlierDetection: false },
	method: { retryPolicy: false },
};

export const roundRobinRetries: Policy = {
	name: "round_robin, retries",
	channel: { balancer: "round_robin", outlierDetection: false },
	method: {},
};

export const roundRobinEjection: Policy = {
	name: "round_robin, retries, ejection",
	channel: { balancer: "round_robin" },
	method: {},
	unplotted: true,
};

export const leastRequestRetries: Policy = {
	name: "least_request, retries",
	channel: { balancer: "least_request", outlierDetection: false },
	method: {},
	unplotted: true,
};

/** A client that sets no options. */
export const defaults: Policy = { name: "defaults", channel: {}, method: {} };

/** The defaults for a method that is not idempotent. */
export const noRetries: Policy = {
	name: "defaults, no retries",
	channel: {},
	method: { retryPolicy: false },
};

export const hedging: Policy = {
	name: "defaults, hedging",
	channel: {},
	method: {
		hedgingPolicy: {
			maxAttempts: 2,
			hedgingDelay: "0.1s",
			nonFatalStatusCodes: ["UNAVAILABLE"],
		},
	},
};

export const unthrottled: Policy = {
	name: "no throttle",
	channel: {
		serviceConfig: { retryThrottling: { maxTokens: 1000, tokenRatio: 1000 } },
	},
	method: {},
	unthrottled: true,
};

export const zoned: Policy = {
	name: "defaults, own zone first",
	channel: {},
	method: {},
	zoned: true,
};

export const circuitBreaker: Policy = {
	name: "defaults, circuit breaker",
	channel: { circuitBreaker: {} },
	method: {},
};
