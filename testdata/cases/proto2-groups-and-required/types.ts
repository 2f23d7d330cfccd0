import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Old } from "./gen/old_pb.js";
import {
	NewOldClient,
	type OldClient,
	type OldServer,
	RegisterOldServer,
	UnimplementedOldServer,
} from "./gen/old_rpc.js";

type Assignable<From extends To, To> = From;

export type OldClientIsConnects = Assignable<OldClient, Client<typeof Old>>;

export function clientOld(): OldClient {
	return NewOldClient("127.0.0.1:50051");
}

export type OldServerIsConnects = Assignable<
	OldServer,
	ServiceImpl<typeof Old>
>;

export function serveOld(registrar: ServiceRegistrar): void {
	RegisterOldServer(registrar, new UnimplementedOldServer());
}
