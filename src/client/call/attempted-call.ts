import type { PickInfo } from "../../balancer/balancer.ts";
import type { CompiledMethodPolicy } from "../../policy/method-policy.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import type { ChannelCore } from "../channel/channel-core.ts";
import type { CallInfo } from "../options/hooks.ts";

/** What attempts need to know of their call. */
export interface AttemptedCall extends PickInfo {
	readonly core: ChannelCore;
	readonly policy: CompiledMethodPolicy;
	/** Milliseconds on the channel's clock. */
	readonly deadline: number | undefined;
	/** The caller's metadata as it travels. */
	readonly metadata: RawHeaders;
	readonly maxResponseBytes: number;
	/** The caller sees nothing before the status: until then any attempt can be replaced by another. */
	readonly commitsAtEnd: boolean;
	readonly info: CallInfo;
	/** Reads the policy again: the service config may have changed while no attempt could be sent. */
	reconfigure(): void;
}
