/** homing's server, as a peer like the others. */

import { Server } from "homing/server";
import {
	RegisterPeerServer,
	UnimplementedPeerServer,
} from "../gen/peer_rpc.ts";
import type { ServerPeer } from "./peer.ts";
import { peerService } from "./service.ts";

export const homingServer: ServerPeer = {
	name: "homing",
	compresses: true,
	async start({ tls, gzip }) {
		const server = new Server({
			...(gzip && { compression: "gzip" }),
			...(tls && {
				tls: {
					cert: tls.certificate ?? "",
					key: tls.key ?? "",
					...(tls.mutual && { ca: tls.ca ?? "" }),
				},
			}),
		});
		RegisterPeerServer(
			server,
			Object.assign(new UnimplementedPeerServer(), peerService()),
		);
		const { port } = await server.listen("127.0.0.1:0");
		return {
			address: `127.0.0.1:${port}`,
			stop: () => server.shutdown({ graceMs: 0 }),
		};
	},
};
