import type { Code } from "@connectrpc/connect";
import type { PickInfo, Subchannel } from "../balancer/balancer.ts";
import type { CompiledMethodPolicy } from "../policy/method-policy.ts";
import type { RawHeaders } from "../wire/connection.ts";
import type { ChannelCore } from "./channel-core.ts";
import type { CallInfo } from "./hooks.ts";

/** The sending of a call: as one attempt, or as several of which the caller sees one. */
export interface Attempts {
	/** How many have been sent. */
	readonly count: number;
	/** Where they went. */
	readonly tried: ReadonlySet<Subchannel>;
	/** How far the call has got, to follow "the deadline passed". */
	readonly progress: string;
	/** Sends a framed message; false: wait for `writable`. */
	write(frame: Uint8Array): boolean;
	closeSend(frame?: Uint8Array): void;
	hold(): void;
	release(): void;
	/** Ends all of them, as the call ended; nothing more is heard. */
	cancel(code: Code): void;
}

/** What attempts need to know of their call. */
export interface AttemptedCall extends PickInfo {
	readonly core: ChannelCore;
	readonly policy: CompiledMethodPolicy;
	/** Milliseconds on the channel's clock. */
	readonly deadline: number | undefined;
	/** The caller's metadata as it travels. */
	readonly metadata: RawHeaders;
	readonly maxResponseBytes: number;
	readonly info: CallInfo;
	/** Reads the policy again: the service config may have changed while no attempt could be sent. */
	reconfigure(): void;
}
