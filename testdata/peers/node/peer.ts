/** The interface of a peer: a client and a server. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
	CallSchema,
	ListenSchema,
	Outcome,
	TargetSchema,
} from "../gen/peer_pb.ts";

export interface ServerPeer {
	readonly name: string;
	/** Whether the server can compress responses. */
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
	/** Makes one call. Resolves with the outcome, also if the call fails. */
	perform(call: MessageInitShape<typeof CallSchema>): Promise<Outcome>;
	close(): Promise<void>;
}

/** The largest message that all peers accept, in bytes. */
export const maxMessageBytes: number = 4 << 20;
