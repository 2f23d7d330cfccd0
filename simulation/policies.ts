import type { ChannelOptions } from "../src/client/options/channel-options.ts";
import type { MethodPolicy } from "../src/policy/method-policy.ts";

/** What a client is set to. */
export interface Policy {
	readonly name: string;
	readonly channel: ChannelOptions;
	readonly method: MethodPolicy;
	/** Left out of plots, to keep them legible. */
	readonly unplotted?: boolean;
	/** It knows its zone. */
	readonly zoned?: boolean;
	/** Its retry throttle never closes: homing has no such option, and the simulation shows why. */
	readonly unthrottled?: boolean;
}

export const pickFirst: Policy = {
	name: "pick_first",
	channel: { balancer: "pick_first", outlierDetection: false },
	method: { retryPolicy: false },
};

/** As most clients are that balance at all. */
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

/** A client that sets nothing. */
export const defaults: Policy = { name: "defaults", channel: {}, method: {} };

/** As of methods that are not idempotent. */
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
