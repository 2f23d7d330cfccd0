/** homing's server as a peer. */

import { Server } from "homing/server";
import {
	RegisterPeerServer,
	UnimplementedPeerServer,
} from "../gen/peer_rpc.ts";
import type { RunningServer, ServerPeer } from "./peer.ts";
import { peerService } from "./service.ts";

export interface HomingServer extends ServerPeer {
	start(...args: Parameters<ServerPeer["start"]>): Promise<RunningHoming>;
}

export interface RunningHoming extends RunningServer {
	readonly server: Server;
}

export const homingServer: HomingServer = {
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
			server,
			stop: () => server.shutdown({ graceMs: 0 }),
		};
	},
};
