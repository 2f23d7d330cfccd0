/** The connect-node peer. */

import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { createClient } from "@connectrpc/connect";
import {
	compressionGzip,
	connectNodeAdapter,
	createGrpcTransport,
	Http2SessionManager,
} from "@connectrpc/connect-node";
import { Absent, Peer } from "../gen/peer_pb.ts";
import { performer } from "./connect-calls.ts";
import { type ClientPeer, maxMessageBytes, type ServerPeer } from "./peer.ts";
import { peerService } from "./service.ts";

// In MB. By default, Node refuses streams once a session holds more than 10 MB.
const sessionOptions = { maxSessionMemory: 1000 };

export const connectServer: ServerPeer = {
	name: "connect-node",
	compresses: true,
	async start({ tls, gzip }) {
		const handler = connectNodeAdapter({
			routes: (router) => router.service(Peer, peerService()),
			readMaxBytes: maxMessageBytes,
			acceptCompression: [compressionGzip],
			compressMinBytes: gzip ? 1024 : Number.MAX_SAFE_INTEGER,
			grpcWeb: false,
			connect: false,
		});
		const server = tls
			? http2.createSecureServer(
					{
						ca: tls.ca,
						cert: tls.certificate,
						key: tls.key,
						requestCert: tls.mutual,
						rejectUnauthorized: tls.mutual,
						...sessionOptions,
					},
					handler,
				)
			: http2.createServer(sessionOptions, handler);
		const sessions = new Set<http2.ServerHttp2Session>();
		server.on("session", (session) => {
			sessions.add(session);
			session.once("close", () => sessions.delete(session));
		});
		await new Promise<void>((resolve) =>
			server.listen(0, "127.0.0.1", resolve),
		);
		return {
			address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
			stop: () =>
				new Promise((resolve) => {
					server.close(() => resolve());
					for (const session of sessions) session.destroy();
				}),
		};
	},
};

export const connectClient: ClientPeer = {
	name: "connect-node",
	async connect({ address, tls, gzip }) {
		const baseUrl = `${tls ? "https" : "http"}://${address}`;
		const sessionManager = new Http2SessionManager(
			baseUrl,
			{},
			{
				...sessionOptions,
				...(tls && { ca: tls.ca, cert: tls.certificate, key: tls.key }),
			},
		);
		const transport = createGrpcTransport({
			baseUrl,
			sessionManager,
			readMaxBytes: maxMessageBytes,
			...(gzip && { sendCompression: compressionGzip }),
		});
		return {
			perform: performer(
				createClient(Peer, transport),
				createClient(Absent, transport),
			),
			close: async () => sessionManager.abort(),
		};
	},
};
