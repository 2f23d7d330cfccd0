import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Bare } from "./gen/bare_pb.js";
import {
	type BareClient,
	type BareServer,
	NewBareClient,
	RegisterBareServer,
	UnimplementedBareServer,
} from "./gen/bare_rpc.js";

type Assignable<From extends To, To> = From;

export type BareClientIsConnects = Assignable<BareClient, Client<typeof Bare>>;

export function clientBare(): BareClient {
	return NewBareClient("127.0.0.1:50051");
}

export type BareServerIsConnects = Assignable<
	BareServer,
	ServiceImpl<typeof Bare>
>;

export function serveBare(registrar: ServiceRegistrar): void {
	RegisterBareServer(registrar, new UnimplementedBareServer());
}
