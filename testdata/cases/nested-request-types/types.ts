import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Nested } from "./gen/nested_pb.js";
import {
	type NestedClient,
	type NestedServer,
	NewNestedClient,
	RegisterNestedServer,
	UnimplementedNestedServer,
} from "./gen/nested_rpc.js";

type Assignable<From extends To, To> = From;

export type NestedClientIsConnects = Assignable<
	NestedClient,
	Client<typeof Nested>
>;

export function clientNested(): NestedClient {
	return NewNestedClient("127.0.0.1:50051");
}

export type NestedServerIsConnects = Assignable<
	NestedServer,
	ServiceImpl<typeof Nested>
>;

export function serveNested(registrar: ServiceRegistrar): void {
	RegisterNestedServer(registrar, new UnimplementedNestedServer());
}
