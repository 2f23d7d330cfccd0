/** Servers with which HTTP/2 cannot be spoken, or which answer no request. */

import net from "node:net";
import tls from "node:tls";
import { type Identity, makeIdentity } from "../certificates.ts";
import {
	code,
	type MisbehavingServer,
	type Misbehaviour,
} from "./misbehaviour.ts";
import { startRawServer } from "./raw-http2.ts";

const SETTINGS_MAX_CONCURRENT_STREAMS = 0x3;

const HTTP1_REPLY =
	"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

export const connectionMisbehaviours: readonly Misbehaviour[] = [
	{
		name: "refuses connections",
		codes: [code.UNAVAILABLE],
		async start() {
			const server = await listening(net.createServer());
			await server.stop();
			return { ...server, stop: async () => undefined };
		},
	},
	onSocket("hangs up on connections", code.UNAVAILABLE, (socket) =>
		socket.end(),
	),
	onSocket("resets connections", code.UNAVAILABLE, (socket) =>
		socket.resetAndDestroy(),
	),
	onSocket("never says anything", code.DEADLINE_EXCEEDED, (socket) =>
		socket.resume(),
	),
	onSocket("speaks HTTP/1.1 only", code.UNAVAILABLE, (socket) => {
		socket.once("data", () => socket.end(HTTP1_REPLY));
	}),
	onSocket("sends garbage for SETTINGS", code.UNAVAILABLE, (socket) => {
		socket.once("data", () => socket.write("\u0007garbage".repeat(1000)));
	}),
	{
		name: "hangs up after SETTINGS",
		codes: [code.UNAVAILABLE],
		start: () =>
			startRawServer({ onConnection: (connection) => connection.end() }),
	},
	{
		name: "allows no streams",
		codes: [code.DEADLINE_EXCEEDED],
		start: () =>
			startRawServer({ settings: [[SETTINGS_MAX_CONCURRENT_STREAMS, 0]] }),
	},
	{
		name: "never answers requests",
		codes: [code.DEADLINE_EXCEEDED],
		requests: 1,
		start: () => startRawServer({}),
	},
];

const dayMs = 24 * 60 * 60 * 1000;
const hosts = ["127.0.0.1", "localhost"];

/** Each of these makes the handshake fail. */
export const tlsMisbehaviours: readonly Misbehaviour[] = [
	handshake("has a certificate of an unknown authority", () => ({
		identity: makeIdentity({
			commonName: "server",
			hosts,
			issuer: makeIdentity({ commonName: "unknown authority" }),
		}),
	})),
	handshake("has a certificate for another host", (issuer) => ({
		identity: makeIdentity({
			commonName: "server",
			hosts: ["elsewhere.example"],
			issuer,
		}),
	})),
	handshake("has an expired certificate", (issuer) => ({
		identity: makeIdentity({
			commonName: "server",
			hosts,
			issuer,
			notBefore: new Date(Date.now() - 2 * dayMs),
			notAfter: new Date(Date.now() - dayMs),
		}),
	})),
	handshake("offers http/1.1 over TLS", (issuer) => ({
		identity: makeIdentity({ commonName: "server", hosts, issuer }),
		ALPNProtocols: ["http/1.1"],
	})),
	handshake("knows nothing of ALPN", (issuer) => ({
		identity: makeIdentity({ commonName: "server", hosts, issuer }),
		ALPNProtocols: [],
	})),
	{
		name: "speaks plaintext where TLS is expected",
		codes: [code.UNAVAILABLE],
		async start() {
			const server = await startRawServer({});
			const { certificate } = makeIdentity({ commonName: "test authority" });
			return {
				address: server.address,
				ca: certificate,
				requests: 0,
				stop: () => server.stop(),
			};
		},
	},
];

function onSocket(
	name: string,
	expected: number,
	onConnection: (socket: net.Socket) => void,
): Misbehaviour {
	return {
		name,
		codes: [expected],
		start: () => listening(net.createServer(onConnection)),
	};
}

function handshake(
	name: string,
	settings: (issuer: Identity) => {
		identity: Identity;
		ALPNProtocols?: string[];
	},
): Misbehaviour {
	return {
		name,
		codes: [code.UNAVAILABLE],
		async start() {
			const authority = makeIdentity({ commonName: "test authority" });
			const { identity, ALPNProtocols = ["h2"] } = settings(authority);
			const { certificate: cert, key } = identity;
			const server = tls.createServer(
				{ cert, key, ...(ALPNProtocols.length > 0 && { ALPNProtocols }) },
				(socket) => {
					socket.on("error", () => undefined);
					socket.resume();
				},
			);
			return { ...(await listening(server)), ca: authority.certificate };
		},
	};
}

async function listening(server: net.Server): Promise<MisbehavingServer> {
	const sockets = new Set<net.Socket>();
	server.on("connection", (socket: net.Socket) => {
		sockets.add(socket);
		socket.on("error", () => undefined);
		socket.on("close", () => sockets.delete(socket));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		address: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
		requests: 0,
		stop: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				for (const socket of sockets) socket.destroy();
			}),
	};
}
