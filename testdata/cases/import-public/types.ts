import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Public } from "./gen/service_pb.js";
import {
	NewPublicClient,
	type PublicClient,
	type PublicServer,
	RegisterPublicServer,
	UnimplementedPublicServer,
} from "./gen/service_rpc.js";

type Assignable<From extends To, To> = From;

export type PublicClientIsConnects = Assignable<
	PublicClient,
	Client<typeof Public>
>;

export function clientPublic(): PublicClient {
	return NewPublicClient("127.0.0.1:50051");
}

export type PublicServerIsConnects = Assignable<
	PublicServer,
	ServiceImpl<typeof Public>
>;

export function servePublic(registrar: ServiceRegistrar): void {
	RegisterPublicServer(registrar, new UnimplementedPublicServer());
}
