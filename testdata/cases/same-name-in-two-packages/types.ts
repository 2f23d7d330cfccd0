import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Three } from "./gen/three/service_pb.js";
import {
	NewThreeClient,
	RegisterThreeServer,
	type ThreeClient,
	type ThreeServer,
	UnimplementedThreeServer,
} from "./gen/three/service_rpc.js";

type Assignable<From extends To, To> = From;

export type ThreeClientIsConnects = Assignable<
	ThreeClient,
	Client<typeof Three>
>;

export function clientThree(): ThreeClient {
	return NewThreeClient("127.0.0.1:50051");
}

export type ThreeServerIsConnects = Assignable<
	ThreeServer,
	ServiceImpl<typeof Three>
>;

export function serveThree(registrar: ServiceRegistrar): void {
	RegisterThreeServer(registrar, new UnimplementedThreeServer());
}

export async function turn(client: ThreeClient): Promise<string> {
	return (await client.turn({ one: "1" })).two;
}
