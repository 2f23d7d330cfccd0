import type { ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Four, WithPolicy } from "./gen/four_pb.js";
import {
	type FourServer,
	RegisterFourServer,
	RegisterWithPolicyServer,
	UnimplementedFourServer,
	UnimplementedWithPolicyServer,
	type WithPolicyServer,
} from "./gen/four_rpc.js";

type Assignable<From extends To, To> = From;

export type FourServerIsConnects = Assignable<
	FourServer,
	ServiceImpl<typeof Four>
>;

export function serveFour(registrar: ServiceRegistrar): void {
	RegisterFourServer(registrar, new UnimplementedFourServer());
}

export type WithPolicyServerIsConnects = Assignable<
	WithPolicyServer,
	ServiceImpl<typeof WithPolicy>
>;

export function serveWithPolicy(registrar: ServiceRegistrar): void {
	RegisterWithPolicyServer(registrar, new UnimplementedWithPolicyServer());
}
