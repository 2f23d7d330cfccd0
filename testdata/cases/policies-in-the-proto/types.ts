import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type {
	Everything,
	None,
	OnlyMethod,
	OnlyTarget,
} from "./gen/policies_pb.js";
import {
	type EverythingClient,
	type EverythingServer,
	NewEverythingClient,
	NewNoneClient,
	NewOnlyMethodClient,
	NewOnlyTargetClient,
	type NoneClient,
	type NoneServer,
	type OnlyMethodClient,
	type OnlyMethodServer,
	type OnlyTargetClient,
	type OnlyTargetServer,
	RegisterEverythingServer,
	RegisterNoneServer,
	RegisterOnlyMethodServer,
	RegisterOnlyTargetServer,
	UnimplementedEverythingServer,
	UnimplementedNoneServer,
	UnimplementedOnlyMethodServer,
	UnimplementedOnlyTargetServer,
} from "./gen/policies_rpc.js";

type Assignable<From extends To, To> = From;

export type EverythingClientIsConnects = Assignable<
	EverythingClient,
	Client<typeof Everything>
>;

export function clientEverything(): EverythingClient {
	return NewEverythingClient("127.0.0.1:50051");
}

export type EverythingServerIsConnects = Assignable<
	EverythingServer,
	ServiceImpl<typeof Everything>
>;

export function serveEverything(registrar: ServiceRegistrar): void {
	RegisterEverythingServer(registrar, new UnimplementedEverythingServer());
}

export type OnlyTargetClientIsConnects = Assignable<
	OnlyTargetClient,
	Client<typeof OnlyTarget>
>;

export function clientOnlyTarget(): OnlyTargetClient {
	return NewOnlyTargetClient("127.0.0.1:50051");
}

export type OnlyTargetServerIsConnects = Assignable<
	OnlyTargetServer,
	ServiceImpl<typeof OnlyTarget>
>;

export function serveOnlyTarget(registrar: ServiceRegistrar): void {
	RegisterOnlyTargetServer(registrar, new UnimplementedOnlyTargetServer());
}

export type OnlyMethodClientIsConnects = Assignable<
	OnlyMethodClient,
	Client<typeof OnlyMethod>
>;

export function clientOnlyMethod(): OnlyMethodClient {
	return NewOnlyMethodClient("127.0.0.1:50051");
}

export type OnlyMethodServerIsConnects = Assignable<
	OnlyMethodServer,
	ServiceImpl<typeof OnlyMethod>
>;

export function serveOnlyMethod(registrar: ServiceRegistrar): void {
	RegisterOnlyMethodServer(registrar, new UnimplementedOnlyMethodServer());
}

export type NoneClientIsConnects = Assignable<NoneClient, Client<typeof None>>;

export function clientNone(): NoneClient {
	return NewNoneClient("127.0.0.1:50051");
}

export type NoneServerIsConnects = Assignable<
	NoneServer,
	ServiceImpl<typeof None>
>;

export function serveNone(registrar: ServiceRegistrar): void {
	RegisterNoneServer(registrar, new UnimplementedNoneServer());
}

export function withDefaultTarget(): EverythingClient {
	return NewEverythingClient(undefined, {
		timeout: "1s",
		methods: { slow: { timeout: "120s" }, create: { retryPolicy: false } },
	});
}

// @ts-expect-error a service without a target needs one
export const withoutTarget: OnlyMethodClient = NewOnlyMethodClient();

export const unknownMethod: NoneClient = NewNoneClient("127.0.0.1:50051", {
	// @ts-expect-error policies are for methods that exist
	methods: { gett: { timeout: "1s" } },
});
