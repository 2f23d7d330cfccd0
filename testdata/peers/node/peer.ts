/** What a peer is to the harness: a server program, a client program. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
	CallSchema,
	ListenSchema,
	Outcome,
	TargetSchema,
} from "../gen/peer_pb.ts";

export interface ServerPeer {
	readonly name: string;
	/** Whether it can compress responses. */
	readonly compresses: boolean;
	start(
		settings: MessageInitShape<typeof ListenSchema>,
	): Promise<RunningServer>;
}

export interface RunningServer {
	/** "127.0.0.1:port" */
	readonly address: string;
	stop(): Promise<void>;
}

export interface ClientPeer {
	readonly name: string;
	connect(
		target: MessageInitShape<typeof TargetSchema>,
	): Promise<RunningClient>;
}

export interface RunningClient {
	/** Makes one call. Whatever becomes of the call is in the outcome. */
	perform(call: MessageInitShape<typeof CallSchema>): Promise<Outcome>;
	close(): Promise<void>;
}

/** The longest message that any peer receives, in bytes. */
export const maxMessageBytes: number = 4 << 20;
