import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Both, NoPort, Port } from "./gen/hosts_pb.js";
import {
	type BothClient,
	type BothServer,
	NewBothClient,
	NewNoPortClient,
	NewPortClient,
	type NoPortClient,
	type NoPortServer,
	type PortClient,
	type PortServer,
	RegisterBothServer,
	RegisterNoPortServer,
	RegisterPortServer,
	UnimplementedBothServer,
	UnimplementedNoPortServer,
	UnimplementedPortServer,
} from "./gen/hosts_rpc.js";

type Assignable<From extends To, To> = From;

export type PortClientIsConnects = Assignable<PortClient, Client<typeof Port>>;

export function clientPort(): PortClient {
	return NewPortClient("127.0.0.1:50051");
}

export type PortServerIsConnects = Assignable<
	PortServer,
	ServiceImpl<typeof Port>
>;

export function servePort(registrar: ServiceRegistrar): void {
	RegisterPortServer(registrar, new UnimplementedPortServer());
}

export type NoPortClientIsConnects = Assignable<
	NoPortClient,
	Client<typeof NoPort>
>;

export function clientNoPort(): NoPortClient {
	return NewNoPortClient("127.0.0.1:50051");
}

export type NoPortServerIsConnects = Assignable<
	NoPortServer,
	ServiceImpl<typeof NoPort>
>;

export function serveNoPort(registrar: ServiceRegistrar): void {
	RegisterNoPortServer(registrar, new UnimplementedNoPortServer());
}

export type BothClientIsConnects = Assignable<BothClient, Client<typeof Both>>;

export function clientBoth(): BothClient {
	return NewBothClient("127.0.0.1:50051");
}

export type BothServerIsConnects = Assignable<
	BothServer,
	ServiceImpl<typeof Both>
>;

export function serveBoth(registrar: ServiceRegistrar): void {
	RegisterBothServer(registrar, new UnimplementedBothServer());
}

export function withDefaultTarget(): PortClient {
	return NewPortClient();
}
