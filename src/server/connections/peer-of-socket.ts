import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { formatHostPort } from "../../discovery/targets/host-port.ts";
import type { Peer } from "../call/peer.ts";

/** Returns the client at the other end of an accepted socket. */
export function peerOfSocket(socket: Socket): Peer {
	// An IPv4 client of a listener on [::] has an address like ::ffff:10.0.0.7 (RFC 4291 section 2.5.5.2).
	const host = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, "");
	const port = socket.remotePort;
	const address =
		host === undefined || port === undefined
			? "unix:"
			: formatHostPort({ host, port });
	const certificate =
		socket instanceof TLSSocket && socket.authorized
			? socket.getPeerX509Certificate()
			: undefined;
	return certificate === undefined ? { address } : { address, certificate };
}
