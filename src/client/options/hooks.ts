import type { Code, ConnectError } from "@connectrpc/connect";
import type { ChannelState } from "../../balancer/balancer.ts";
import type { Endpoint, Resolution } from "../../discovery/resolver.ts";

/** What hooks and credentials may know of a call. */
export interface CallInfo {
	/** "package.Service" */
	readonly service: string;
	/** "Method", as the proto has it. */
	readonly method: string;
	/** The metadata that the caller gave. */
	readonly header: Headers;
	/** Milliseconds of `performance.now()`; undefined without a deadline. */
	readonly deadline: number | undefined;
}

/** Each optional, called synchronously, and free when absent. What a hook throws, or its promise rejects with, changes no call: it is written to the console. */
export interface ClientHooks {
	callStart?(call: CallInfo): void;
	/** `code` and `error`, which the caller gets, are undefined when the call went well. */
	callEnd?(
		call: CallInfo,
		end: {
			code: Code | undefined;
			error: ConnectError | undefined;
			latencyMs: number;
			attempts: number;
		},
	): void;
	attemptStart?(
		call: CallInfo,
		attempt: { number: number; endpoint: Endpoint; hedge: boolean },
	): void;
	attemptEnd?(
		call: CallInfo,
		attempt: {
			number: number;
			endpoint: Endpoint;
			code: Code | undefined;
			latencyMs: number;
		},
	): void;
	retry?(
		call: CallInfo,
		decision: {
			kind: "scheduled" | "denied" | "transparent";
			delayMs: number;
			reason: string;
		},
	): void;
	/** A resolver has spoken, or failed: a bad service config is a failure, too. */
	resolved?(resolution: Resolution | { error: Error }): void;
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
	/** Metadata under a name that belongs to HTTP/2 or gRPC was left out. */
	metadataDropped?(call: CallInfo, name: string): void;
}
