import type { ConnectClient } from "./clients/client.ts";
import type { StartServer } from "./servers/server.ts";

/** Who is compared; the first is what a careful person would write by hand on `node:http2`. */
export const PEERS = [
	"node:http2",
	"homing",
	"grpc-js",
	"nice-grpc",
	"connect-node",
] as const;

export type Peer = (typeof PEERS)[number];

/** The file of a peer: clients and servers have one each. */
export function fileOf(peer: string): string {
	return `${peer.replace(":", "-")}.ts`;
}

export async function clientOf(
	peer: Peer | "homing-bare" | "homing-policies",
): Promise<ConnectClient> {
	return (await import(`./clients/${fileOf(peer)}`)).connect;
}

export async function serverOf(peer: Peer): Promise<StartServer> {
	return (await import(`./servers/${fileOf(peer)}`)).start;
}
