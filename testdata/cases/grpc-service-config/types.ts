import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Library, Unnamed } from "./gen/library_pb.js";
import {
	type LibraryClient,
	type LibraryServer,
	NewLibraryClient,
	NewUnnamedClient,
	RegisterLibraryServer,
	RegisterUnnamedServer,
	UnimplementedLibraryServer,
	UnimplementedUnnamedServer,
	type UnnamedClient,
	type UnnamedServer,
} from "./gen/library_rpc.js";

type Assignable<From extends To, To> = From;

export type LibraryClientIsConnects = Assignable<
	LibraryClient,
	Client<typeof Library>
>;

export function clientLibrary(): LibraryClient {
	return NewLibraryClient("127.0.0.1:50051");
}

export type LibraryServerIsConnects = Assignable<
	LibraryServer,
	ServiceImpl<typeof Library>
>;

export function serveLibrary(registrar: ServiceRegistrar): void {
	RegisterLibraryServer(registrar, new UnimplementedLibraryServer());
}

export type UnnamedClientIsConnects = Assignable<
	UnnamedClient,
	Client<typeof Unnamed>
>;

export function clientUnnamed(): UnnamedClient {
	return NewUnnamedClient("127.0.0.1:50051");
}

export type UnnamedServerIsConnects = Assignable<
	UnnamedServer,
	ServiceImpl<typeof Unnamed>
>;

export function serveUnnamed(registrar: ServiceRegistrar): void {
	RegisterUnnamedServer(registrar, new UnimplementedUnnamedServer());
}
