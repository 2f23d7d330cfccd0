import type { Code, ConnectError } from "@connectrpc/connect";
import type { ChannelState } from "../../balancer/balancer.ts";
import type { Endpoint, Resolution } from "../../discovery/resolver.ts";

/** Describes a call to hooks, to `credentials` and to the `fallback` of a circuit breaker. */
export interface CallInfo {
	/** The full name of the service: "package.Service". */
	readonly service: string;
	/** The name of the method as the proto spells it: "GetOrder". */
	readonly method: string;
	/** The request metadata that the caller has set. */
	readonly header: Headers;
	/** When the deadline passes, in milliseconds of `performance.now()`. Undefined for a call without a deadline. */
	readonly deadline: number | undefined;
}

/**
 * Functions to call when something happens in a channel, for metrics, logs and traces. Each is optional, is called
 * synchronously, and costs nothing when it is absent. A hook cannot change a call: what it throws, and what the promise
 * it returns rejects with, is written to the console.
 */
export interface ClientHooks {
	/** A call starts. */
	callStart?(call: CallInfo): void;
	/**
	 * A call has ended. `error` is what the caller gets, and `code` is its status code; both are undefined if the call
	 * succeeded. `latencyMs` is the duration of the whole call in milliseconds, `attempts` how many attempts it made.
	 */
	callEnd?(
		call: CallInfo,
		end: {
			code: Code | undefined;
			error: ConnectError | undefined;
			latencyMs: number;
			attempts: number;
		},
	): void;
	/** An attempt is sent to an endpoint. `number` is 1 for the first; `hedge` is true for a hedged attempt. */
	attemptStart?(
		call: CallInfo,
		attempt: { number: number; endpoint: Endpoint; hedge: boolean },
	): void;
	/** An attempt has ended, after `latencyMs` milliseconds. `code` is undefined if it succeeded. */
	attemptEnd?(
		call: CallInfo,
		attempt: {
			number: number;
			endpoint: Endpoint;
			code: Code | undefined;
			latencyMs: number;
		},
	): void;
	/**
	 * An attempt has failed, and it is decided whether the call is retried. "scheduled": the retry policy allows
	 * another attempt in `delayMs` milliseconds. "transparent": no server has processed the attempt, so it is sent again
	 * whatever the policy. "denied": there is no further attempt, for the `reason` given.
	 */
	retry?(
		call: CallInfo,
		decision: {
			kind: "scheduled" | "denied" | "transparent";
			delayMs: number;
			reason: string;
		},
	): void;
	/** A resolver has yielded endpoints, or has failed. An invalid service config counts as a failure. */
	resolved?(resolution: Resolution | { error: Error }): void;
	/**
	 * The state of an endpoint has changed. Besides the states of its connection there are: "ejected" and "uneject"
	 * (outlier detection has taken it out, or has put it back), and "breakerOpen" and "breakerClosed" (the circuit
	 * breaker of one of its methods, which the `reason` names).
	 */
	endpointState?(
		endpoint: Endpoint,
		state:
			| ChannelState
			| "ejected"
			| "uneject"
			| "breakerOpen"
			| "breakerClosed",
		reason: string,
	): void;
	/** A metadata entry of a call was not sent, because its name is reserved for HTTP/2 or gRPC. */
	metadataDropped?(call: CallInfo, name: string): void;
}
