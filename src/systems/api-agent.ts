import { Agent } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type TlsConnection, tlsConnections } from "../tls/tls-connection.ts";
import type { TlsSource } from "../tls/tls-options.ts";
import type { ApiOrigin } from "./api-origin.ts";

/** Of silence, before TCP asks whether the peer is still there. */
const KEEPALIVE_MS = 30_000;

/** The connections to one origin: kept for the next request, and no reason for a process to stay. */
export function apiAgent(origin: ApiOrigin, tls: TlsSource): Agent {
	// Node calls what it is given through `agent.createConnection`, which may answer by its callback.
	const agent = new Agent({ keepAlive: true });
	const connectionTo = tlsConnections(
		tls,
		"host" in origin.at ? origin.at.host : "localhost",
	);
	agent.createConnection = (_options, connected) => {
		if (!origin.tls) {
			return settled(connectTcp(origin.at)) as Socket;
		}
		connectedTls(origin, connectionTo).then(
			(socket) => connected?.(null, socket),
			(error: Error) => connected?.(error, undefined as never),
		);
		return undefined;
	};
	return agent;
}

/** A socket on its way: what goes wrong from here on reaches the request. */
async function connectedTls(
	origin: ApiOrigin,
	connectionTo: (address: string) => Promise<TlsConnection>,
): Promise<Socket> {
	const { options } = await connectionTo(origin.host);
	return settled(
		connectTls({ ...origin.at, ...options, ALPNProtocols: ["http/1.1"] }),
	);
}

function settled<S extends Socket>(socket: S): S {
	socket.unref();
	socket.setNoDelay(true);
	// Answers may be minutes away: this tells a peer that waits from one that is gone.
	socket.setKeepAlive(true, KEEPALIVE_MS);
	return socket;
}
