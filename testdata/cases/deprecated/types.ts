import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { OfFile } from "./gen/file_pb.js";
import {
	NewOfFileClient,
	type OfFileClient,
	type OfFileServer,
	RegisterOfFileServer,
	UnimplementedOfFileServer,
} from "./gen/file_rpc.js";
import type { Part, Whole } from "./gen/parts_pb.js";
import {
	NewPartClient,
	NewWholeClient,
	type PartClient,
	type PartServer,
	RegisterPartServer,
	RegisterWholeServer,
	UnimplementedPartServer,
	UnimplementedWholeServer,
	type WholeClient,
	type WholeServer,
} from "./gen/parts_rpc.js";

type Assignable<From extends To, To> = From;

export type OfFileClientIsConnects = Assignable<
	OfFileClient,
	Client<typeof OfFile>
>;

export function clientOfFile(): OfFileClient {
	return NewOfFileClient("127.0.0.1:50051");
}

export type OfFileServerIsConnects = Assignable<
	OfFileServer,
	ServiceImpl<typeof OfFile>
>;

export function serveOfFile(registrar: ServiceRegistrar): void {
	RegisterOfFileServer(registrar, new UnimplementedOfFileServer());
}

export type WholeClientIsConnects = Assignable<
	WholeClient,
	Client<typeof Whole>
>;

export function clientWhole(): WholeClient {
	return NewWholeClient("127.0.0.1:50051");
}

export type WholeServerIsConnects = Assignable<
	WholeServer,
	ServiceImpl<typeof Whole>
>;

export function serveWhole(registrar: ServiceRegistrar): void {
	RegisterWholeServer(registrar, new UnimplementedWholeServer());
}

export type PartClientIsConnects = Assignable<PartClient, Client<typeof Part>>;

export function clientPart(): PartClient {
	return NewPartClient("127.0.0.1:50051");
}

export type PartServerIsConnects = Assignable<
	PartServer,
	ServiceImpl<typeof Part>
>;

export function servePart(registrar: ServiceRegistrar): void {
	RegisterPartServer(registrar, new UnimplementedPartServer());
}
