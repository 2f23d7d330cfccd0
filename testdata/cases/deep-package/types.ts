import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Deep } from "./gen/a/b/c/d/e/f/g/h/deep_pb.js";
import {
	type DeepClient,
	type DeepServer,
	NewDeepClient,
	RegisterDeepServer,
	UnimplementedDeepServer,
} from "./gen/a/b/c/d/e/f/g/h/deep_rpc.js";

type Assignable<From extends To, To> = From;

export type DeepClientIsConnects = Assignable<DeepClient, Client<typeof Deep>>;

export function clientDeep(): DeepClient {
	return NewDeepClient("127.0.0.1:50051");
}

export type DeepServerIsConnects = Assignable<
	DeepServer,
	ServiceImpl<typeof Deep>
>;

export function serveDeep(registrar: ServiceRegistrar): void {
	RegisterDeepServer(registrar, new UnimplementedDeepServer());
}
