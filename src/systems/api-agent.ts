import { Agent } from "node:http";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls } from "node:tls";
import { pemOf } from "../client/dial.ts";
import type { TlsSource } from "../client/tls-options.ts";
import type { ApiOrigin } from "./api-origin.ts";

/** Of silence, before TCP asks whether the peer is still there. */
const KEEPALIVE_MS = 30_000;

/** The connections to one origin: kept for the next request, and no reason for a process to stay. */
export function apiAgent(origin: ApiOrigin, tls: TlsSource): Agent {
	// Node calls what it is given through `agent.createConnection`, which may answer by its callback.
	const agent = new Agent({ keepAlive: true });
	agent.createConnection = (_options, connected) => {
		if (!origin.tls) {
			return settled(connectTcp(origin.at)) as Socket;
		}
		connectedTls(origin, tls).then(
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
	tls: TlsSource,
): Promise<Socket> {
	const options = await tls(origin.host);
	const host = "host" in origin.at ? origin.at.host : "localhost";
	const name = options.servername ?? host;
	return settled(
		connectTls({
			...origin.at,
			...pemOf(options),
			rejectUnauthorized: options.rejectUnauthorized ?? true,
			ALPNProtocols: ["http/1.1"],
			// Server Name Indication has no place for an address (RFC 6066, section 3).
			servername: isIP(name) === 0 ? name : "",
			checkServerIdentity: (_host, certificate) =>
				checkServerIdentity(name, certificate),
		}),
	);
}

function settled<S extends Socket>(socket: S): S {
	socket.unref();
	socket.setNoDelay(true);
	// Answers may be minutes away: this tells a peer that waits from one that is gone.
	socket.setKeepAlive(true, KEEPALIVE_MS);
	return socket;
}
