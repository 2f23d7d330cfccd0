import type { DescMethod } from "@bufbuild/protobuf";
import type { Code } from "@connectrpc/connect";
import type { Endpoint } from "../discovery/resolver.ts";

/** The connectivity states of gRPC (grpc/connectivity-semantics-and-api), for channels and subchannels. */
export type ChannelState =
	| "idle"
	| "connecting"
	| "ready"
	| "transientFailure"
	| "shutdown";

/** An endpoint and its connections. */
export interface Subchannel {
	/** The endpoint, as the resolver has yielded it. */
	readonly endpoint: Endpoint;
	/** The present state. */
	readonly state: ChannelState;
	/** Connects, if the state is "idle". Does nothing in any other state. */
	connect(): void;
}

/** Makes a balancer for a channel. Pass it as the option `balancer`. */
export type BalancerFactory = (helper: BalancerHelper) => Balancer;

/** What a channel gives to its balancer. */
export interface BalancerHelper {
	/**
	 * Makes a subchannel for an endpoint. `onState` is called with each new state. When the connection is lost, the
	 * state becomes "idle". When connecting fails, it becomes "transientFailure", and "idle" after the backoff. When an
	 * endpoint is ejected or unhealthy while it is connected, the state goes from "ready" to "transientFailure", and
	 * back to "ready" when it may get calls again.
	 */
	createSubchannel(
		endpoint: Endpoint,
		onState: (state: ChannelState, error?: Error) => void,
	): Subchannel & { shutdown(): void };
	/**
	 * Sets the state of the channel, and the picker that calls use from now on. Calls that wait use it at once.
	 */
	publish(state: ChannelState, picker: Picker): void;
	/** Returns a random number of at least 0 and less than 1. */
	readonly random: () => number;
	/** Returns the time in milliseconds, on a monotonic clock. */
	readonly now: () => number;
	/**
	 * Calls `action` once, after `ms` milliseconds. The timer keeps no process alive. Returns a function that cancels it.
	 */
	after(ms: number, action: () => void): () => void;
}

/** A load balancing policy: it turns the endpoints of a channel and their states into pickers. */
export interface Balancer {
	/** Takes the endpoints of a new resolution, of which there is at least one. */
	update(endpoints: readonly Endpoint[]): void;
	/** Starts to connect. Called when a call starts while the channel is "idle". */
	exitIdle(): void;
	/** Shuts down all subchannels that the balancer has made. */
	close(): void;
}

/** Chooses the endpoint for each call. A picker is immutable: when something changes, the balancer publishes a new one. */
export interface Picker {
	/** Chooses the endpoint for a call. What it throws fails the call with INTERNAL. */
	pick(call: PickInfo): Pick;
}

/** Describes a call to pickers. */
export interface PickInfo {
	/** The method that is called. */
	readonly method: DescMethod;
	/** The call option `hashKey`. */
	readonly hashKey: string | undefined;
	/** The request metadata. */
	readonly header: Headers;
	/** The subchannels that earlier attempts of the call have used. */
	readonly tried: ReadonlySet<Subchannel>;
}

/**
 * What a picker returns for a call:
 * - "subchannel": the call goes to this subchannel.
 * - "wait": the call waits for the next picker.
 * - "fail": the call fails with UNAVAILABLE and goes to its retry policy; with `waitForReady`, it waits.
 * - "drop": the call fails at once, whatever its policy.
 */
export type Pick =
	| {
			kind: "subchannel";
			subchannel: Subchannel;
			/** Called when the attempt starts. */
			started?(): void;
			/**
			 * Called when the attempt has ended. `code` is undefined if it succeeded. `sent` is false if it never left
			 * the client.
			 */
			ended?(outcome: {
				code: Code | undefined;
				latencyMs: number;
				sent: boolean;
			}): void;
	  }
	| { kind: "wait" }
	| { kind: "fail"; error: Error }
	| { kind: "drop"; error: Error };
