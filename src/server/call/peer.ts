import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { HandlerContext } from "@connectrpc/connect";
import { formatHostPort } from "../../discovery/targets/host-port.ts";

/** Who is at the other end of a connection. */
export interface Peer {
	/** "10.0.0.7:41234", "[::1]:41234"; "unix:" for a client on a unix socket, which has no name. */
	readonly address: string;
	/** The certificate that the client has proved to own, where TLS asked for one and it was accepted. */
	readonly certificate?: X509Certificate;
}

/** Where a context carries its peer. */
export const contextPeer: unique symbol = Symbol("homing.peer");

/**
 * Who makes the call that a handler handles.
 *
 * @throws TypeError for a context that is not of a homing Server
 */
export function peerOf(context: HandlerContext): Peer {
	const peer = (context as { [contextPeer]?: Peer })[contextPeer];
	if (peer === undefined) {
		throw new TypeError(
			"peerOf knows only the contexts that a homing Server gives to its handlers, and no copies of them",
		);
	}
	return peer;
}

/** Who is at the other end of an accepted socket. */
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
