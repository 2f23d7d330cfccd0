import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Weak } from "./gen/weak_pb.js";
import {
	NewWeakClient,
	RegisterWeakServer,
	UnimplementedWeakServer,
	type WeakClient,
	type WeakServer,
} from "./gen/weak_rpc.js";

type Assignable<From extends To, To> = From;

export type WeakClientIsConnects = Assignable<WeakClient, Client<typeof Weak>>;

export function clientWeak(): WeakClient {
	return NewWeakClient("127.0.0.1:50051");
}

export type WeakServerIsConnects = Assignable<
	WeakServer,
	ServiceImpl<typeof Weak>
>;

export function serveWeak(registrar: ServiceRegistrar): void {
	RegisterWeakServer(registrar, new UnimplementedWeakServer());
}
