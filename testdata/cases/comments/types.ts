import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Comments } from "./gen/comments_pb.js";
import {
	type CommentsClient,
	type CommentsServer,
	NewCommentsClient,
	RegisterCommentsServer,
	UnimplementedCommentsServer,
} from "./gen/comments_rpc.js";
import type { Crlf } from "./gen/crlf_pb.js";
import {
	type CrlfClient,
	type CrlfServer,
	NewCrlfClient,
	RegisterCrlfServer,
	UnimplementedCrlfServer,
} from "./gen/crlf_rpc.js";

type Assignable<From extends To, To> = From;

export type CommentsClientIsConnects = Assignable<
	CommentsClient,
	Client<typeof Comments>
>;

export function clientComments(): CommentsClient {
	return NewCommentsClient("127.0.0.1:50051");
}

export type CommentsServerIsConnects = Assignable<
	CommentsServer,
	ServiceImpl<typeof Comments>
>;

export function serveComments(registrar: ServiceRegistrar): void {
	RegisterCommentsServer(registrar, new UnimplementedCommentsServer());
}

export type CrlfClientIsConnects = Assignable<CrlfClient, Client<typeof Crlf>>;

export function clientCrlf(): CrlfClient {
	return NewCrlfClient("127.0.0.1:50051");
}

export type CrlfServerIsConnects = Assignable<
	CrlfServer,
	ServiceImpl<typeof Crlf>
>;

export function serveCrlf(registrar: ServiceRegistrar): void {
	RegisterCrlfServer(registrar, new UnimplementedCrlfServer());
}
