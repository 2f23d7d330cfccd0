import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Empty } from "./gen/empty_pb.js";
import {
	type EmptyClient,
	type EmptyServer,
	NewEmptyClient,
	RegisterEmptyServer,
	UnimplementedEmptyServer,
} from "./gen/empty_rpc.js";

type Assignable<From extends To, To> = From;

export type EmptyClientIsConnects = Assignable<
	EmptyClient,
	Client<typeof Empty>
>;

export function clientEmpty(): EmptyClient {
	return NewEmptyClient("127.0.0.1:50051");
}

export type EmptyServerIsConnects = Assignable<
	EmptyServer,
	ServiceImpl<typeof Empty>
>;

export function serveEmpty(registrar: ServiceRegistrar): void {
	RegisterEmptyServer(registrar, new UnimplementedEmptyServer());
}

export async function close(): Promise<void> {
	await using client = clientEmpty();
	void client;
}
