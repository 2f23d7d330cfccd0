import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { WellKnown } from "./gen/wkt_pb.js";
import {
	NewWellKnownClient,
	RegisterWellKnownServer,
	UnimplementedWellKnownServer,
	type WellKnownClient,
	type WellKnownServer,
} from "./gen/wkt_rpc.js";

type Assignable<From extends To, To> = From;

export type WellKnownClientIsConnects = Assignable<
	WellKnownClient,
	Client<typeof WellKnown>
>;

export function clientWellKnown(): WellKnownClient {
	return NewWellKnownClient("127.0.0.1:50051");
}

export type WellKnownServerIsConnects = Assignable<
	WellKnownServer,
	ServiceImpl<typeof WellKnown>
>;

export function serveWellKnown(registrar: ServiceRegistrar): void {
	RegisterWellKnownServer(registrar, new UnimplementedWellKnownServer());
}

/** An empty request may be left out. */
export async function ping(client: WellKnownClient): Promise<void> {
	await client.ping();
	await client.ping({}, { timeoutMs: 100 });
}
