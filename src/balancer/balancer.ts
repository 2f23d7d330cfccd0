import type { DescMethod } from "@bufbuild/protobuf";
import type { Code } from "@connectrpc/connect";
import type { Endpoint } from "../discovery/resolver.ts";

/** gRPC's connectivity states (grpc/connectivity-semantics-and-api). */
export type ChannelState =
	| "idle"
	| "connecting"
	| "ready"
	| "transientFailure"
	| "shutdown";

/** One endpoint, and the connection to it, if there is one. */
export interface Subchannel {
	readonly endpoint: Endpoint;
	readonly state: ChannelState;
	/** Leaves "idle"; in every other state does nothing. */
	connect(): void;
}

/** Makes a balancer for one channel. */
export type BalancerFactory = (helper: BalancerHelper) => Balancer;

/** What the channel lends a balancer. */
export interface BalancerHelper {
	/**
	 * `onState` hears each new state: after a lost connection "idle", after a
	 * failed one "transientFailure" and, once its backoff is over, "idle". One that
	 * is taken out while its connection lives (ejected, unhealthy) goes from
	 * "ready" to "transientFailure", and back to "ready" when it may have calls
	 * again.
	 */
	createSubchannel(
		endpoint: Endpoint,
		onState: (state: ChannelState, error?: Error) => void,
	): Subchannel & { shutdown(): void };
	/** From now on calls ask this picker; those that wait ask it at once. */
	publish(state: ChannelState, picker: Picker): void;
	/** At least 0, less than 1. */
	readonly random: () => number;
	/** Milliseconds on a clock that never jumps. */
	readonly now: () => number;
	/** Calls `action` once, `ms` milliseconds later, and keeps no process alive for it; what it returns calls it off. */
	after(ms: number, action: () => void): () => void;
}

/** Turns endpoints and their states into pickers. */
export interface Balancer {
	/** The endpoints of a new resolution; at least one. */
	update(endpoints: readonly Endpoint[]): void;
	/** A call has come while the balancer was "idle": connect. */
	exitIdle(): void;
	/** Shuts down every subchannel that it made. */
	close(): void;
}

/** Immutable: a new state of the world is a new picker. */
export interface Picker {
	pick(call: PickInfo): Pick;
}

/** What a picker may know of the call. */
export interface PickInfo {
	readonly method: DescMethod;
	readonly hashKey: string | undefined;
	readonly header: Headers;
	/** Endpoints that this call has tried. */
	readonly tried: ReadonlySet<Subchannel>;
}

export type Pick =
	| {
			kind: "subchannel";
			subchannel: Subchannel;
			started?(): void;
			/** `code` is undefined when the call went well; `sent` is false when it never left the client. */
			ended?(outcome: {
				code: Code | undefined;
				latencyMs: number;
				sent: boolean;
			}): void;
	  }
	/** Until the next picker. */
	| { kind: "wait" }
	/** waitForReady waits, others go to the retry policy. */
	| { kind: "fail"; error: Error }
	/** Fails at once, whatever the policy. */
	| { kind: "drop"; error: Error };
