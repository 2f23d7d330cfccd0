import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Globals } from "./gen/globals_pb.js";
import {
	type GlobalsClient,
	type GlobalsServer,
	NewGlobalsClient,
	RegisterGlobalsServer,
	UnimplementedGlobalsServer,
} from "./gen/globals_rpc.js";

type Assignable<From extends To, To> = From;

export type GlobalsClientIsConnects = Assignable<
	GlobalsClient,
	Client<typeof Globals>
>;

export function clientGlobals(): GlobalsClient {
	return NewGlobalsClient("127.0.0.1:50051");
}

export type GlobalsServerIsConnects = Assignable<
	GlobalsServer,
	ServiceImpl<typeof Globals>
>;

export function serveGlobals(registrar: ServiceRegistrar): void {
	RegisterGlobalsServer(registrar, new UnimplementedGlobalsServer());
}

/** The global of that name is what it was. */
export async function resolved(client: GlobalsClient): Promise<string> {
	return (await client.usePromise({ name: "a promise" })).name;
}
