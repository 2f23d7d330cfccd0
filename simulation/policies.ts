import { leastRequest } from "../src/balancer/least-request.ts";
import type { ChannelOptions } from "../src/client/channel-options.ts";
import type { MethodPolicy } from "../src/policy/method-policy.ts";

/** What a client is set to. */
export interface Policy {
	readonly name: string;
	readonly channel: ChannelOptions;
	readonly method: MethodPolicy;
	/** It knows its zone. */
	readonly zoned?: boolean;
	/** Its retry throttle never closes: homing has no such option, and the simulation shows why. */
	readonly unthrottled?: boolean;
}

export const pickFirst: Policy = {
	name: "pick_first",
	channel: { balancer: "pick_first" },
	method: { retryPolicy: false },
};

/** As most clients are that balance at all. */
export const roundRobin: Policy = {
	name: "round_robin",
	channel: { balancer: "round_robin" },
	method: { retryPolicy: false },
};

export const roundRobinRetries: Policy = {
	name: "round_robin, retries",
	channel: { balancer: "round_robin" },
	method: {},
};

export const leastRequestRetries: Policy = {
	name: "least_request, retries",
	channel: { balancer: leastRequest },
	method: {},
};

/** A client that sets nothing. */
export const defaults: Policy = {
	name: "defaults",
	channel: { balancer: leastRequest },
	method: {},
};

export const hedging: Policy = {
	name: "defaults, hedging",
	channel: defaults.channel,
	method: {
		hedgingPolicy: {
			maxAttempts: 2,
			hedgingDelay: "0.1s",
			nonFatalStatusCodes: ["UNAVAILABLE"],
		},
	},
};

export const unthrottled: Policy = {
	name: "defaults, no throttle",
	channel: {
		...defaults.channel,
		serviceConfig: { retryThrottling: { maxTokens: 1000, tokenRatio: 1000 } },
	},
	method: {},
	unthrottled: true,
};
