import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Custom } from "./gen/service_pb.js";
import {
	type CustomClient,
	type CustomServer,
	NewCustomClient,
	RegisterCustomServer,
	UnimplementedCustomServer,
} from "./gen/service_rpc.js";

type Assignable<From extends To, To> = From;

export type CustomClientIsConnects = Assignable<
	CustomClient,
	Client<typeof Custom>
>;

export function clientCustom(): CustomClient {
	return NewCustomClient("127.0.0.1:50051");
}

export type CustomServerIsConnects = Assignable<
	CustomServer,
	ServiceImpl<typeof Custom>
>;

export function serveCustom(registrar: ServiceRegistrar): void {
	RegisterCustomServer(registrar, new UnimplementedCustomServer());
}
