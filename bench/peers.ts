import type { ConnectClient } from "./clients/client.ts";
import type { StartServer } from "./servers/server.ts";

/** What homing is compared with. The first is what a careful programmer would write by hand on `node:http2`. */
export const PEERS = [
	"node:http2",
	"homing",
	"grpc-js",
	"nice-grpc",
	"connect-node",
] as const;

export type Peer = (typeof PEERS)[number];

/** The name of a peer's file, in `clients` and in `servers`. */
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
