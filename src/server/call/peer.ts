import type { X509Certificate } from "node:crypto";
import type { HandlerContext } from "@connectrpc/connect";

/** The client at the other end of a connection. */
export interface Peer {
	/** Its address and port: "10.0.0.7:41234", "[::1]:41234". "unix:" for a client on a unix socket. */
	readonly address: string;
	/** The client's certificate, if TLS asked for one and accepted it. */
	readonly certificate?: X509Certificate;
}

/** The member of a context that holds its peer. */
export const contextPeer: unique symbol = Symbol("homing.peer");

/**
 * Returns the client of the call that a handler handles: its address, and its certificate with mutual TLS.
 *
 * @throws TypeError for a context that no homing Server made, such as a copy of one or that of a Connect router
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
