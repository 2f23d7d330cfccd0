import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Four, WithPolicy } from "./gen/four_pb.js";
import {
	type FourClient,
	type FourServer,
	NewFourClient,
	NewWithPolicyClient,
	RegisterFourServer,
	RegisterWithPolicyServer,
	UnimplementedFourServer,
	UnimplementedWithPolicyServer,
	type WithPolicyClient,
	type WithPolicyServer,
} from "./gen/four_rpc.js";

type Assignable<From extends To, To> = From;

export type FourClientIsConnects = Assignable<FourClient, Client<typeof Four>>;

export function clientFour(): FourClient {
	return NewFourClient("127.0.0.1:50051");
}

export type FourServerIsConnects = Assignable<
	FourServer,
	ServiceImpl<typeof Four>
>;

export function serveFour(registrar: ServiceRegistrar): void {
	RegisterFourServer(registrar, new UnimplementedFourServer());
}

export type WithPolicyClientIsConnects = Assignable<
	WithPolicyClient,
	Client<typeof WithPolicy>
>;

export function clientWithPolicy(): WithPolicyClient {
	return NewWithPolicyClient("127.0.0.1:50051");
}

export type WithPolicyServerIsConnects = Assignable<
	WithPolicyServer,
	ServiceImpl<typeof WithPolicy>
>;

export function serveWithPolicy(registrar: ServiceRegistrar): void {
	RegisterWithPolicyServer(registrar, new UnimplementedWithPolicyServer());
}
