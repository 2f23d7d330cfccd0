import { Agent } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type TlsConnection, tlsConnections } from "../tls/tls-connection.ts";
import type { TlsSource } from "../tls/tls-options.ts";
import type { ApiOrigin } from "./api-origin.ts";

/** The time of silence after which TCP keepalive checks whether the peer still exists. */
const KEEPALIVE_MS = 30_000;

/** Makes an agent for the connections to one origin. It keeps them for later requests, without keeping the process alive. */
export function apiAgent(origin: ApiOrigin, tls: TlsSource): Agent {
	// Node gets connections by calling `agent.createConnection`, which may return a socket or call its callback.
	const agent = new Agent({ keepAlive: true });
	const connectionTo = tlsConnections(
		tls,
		"host" in origin.at ? origin.at.host : "localhost",
	);
	agent.createConnection = (_options, connected) => {
		if (!origin.tls) {
			return configured(connectTcp(origin.at)) as Socket;
		}
		connectedTls(origin, connectionTo).then(
			(socket) => connected?.(null, socket),
			(error: Error) => connected?.(error, undefined as never),
		);
		return undefined;
	};
	return agent;
}

/** Starts a TLS connection. Resolves before it is connected; later errors reach the request through the socket. */
async function connectedTls(
	origin: ApiOrigin,
	connectionTo: (address: string) => Promise<TlsConnection>,
): Promise<Socket> {
	const { options } = await connectionTo(origin.host);
	return configured(
		connectTls({ ...origin.at, ...options, ALPNProtocols: ["http/1.1"] }),
	);
}

function configured<S extends Socket>(socket: S): S {
	socket.unref();
	socket.setNoDelay(true);
	// Some answers take minutes. Keepalive distinguishes a peer that is waiting from one that is gone.
	socket.setKeepAlive(true, KEEPALIVE_MS);
	return socket;
}
