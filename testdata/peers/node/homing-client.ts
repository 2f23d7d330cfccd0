/** homing's client as a peer. */

import { Channel } from "homing";
import {
	type AbsentClient,
	NewAbsentClient,
	NewPeerClient,
	type PeerClient,
} from "../gen/peer_rpc.ts";
import { performer } from "./connect-calls.ts";
import { handlePerformer } from "./homing-handles.ts";
import type { ClientPeer, RunningClient } from "./peer.ts";

export const homingClient: ClientPeer = clientPeer("homing", performer);

export const homingHandlesClient: ClientPeer = clientPeer(
	"homing (handles)",
	(peer, absent) => handlePerformer(peer, performer(peer, absent)),
);

function clientPeer(
	name: string,
	performerOf: (
		peer: PeerClient,
		absent: AbsentClient,
	) => RunningClient["perform"],
): ClientPeer {
	return {
		name,
		async connect({ address = "", tls, gzip }) {
			const channel = new Channel(address, {
				...(gzip && { compression: "gzip" }),
				...(tls && {
					tls: {
						ca: tls.ca ?? "",
						...(tls.certificate && { cert: tls.certificate }),
						...(tls.key && { key: tls.key }),
					},
				}),
			});
			// Calls have a deadline only if a case sets one.
			const peer = NewPeerClient(channel, { timeout: 0 });
			const absent = NewAbsentClient(channel, { timeout: 0 });
			return {
				perform: performerOf(peer, absent),
				close: () => channel.close(),
			};
		},
	};
}
