import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Echo, Reader, Writer } from "./gen/twice_pb.js";
import {
	type EchoClient,
	type EchoServer,
	NewEchoClient,
	NewReaderClient,
	NewWriterClient,
	type ReaderClient,
	type ReaderServer,
	RegisterEchoServer,
	RegisterReaderServer,
	RegisterWriterServer,
	UnimplementedEchoServer,
	UnimplementedReaderServer,
	UnimplementedWriterServer,
	type WriterClient,
	type WriterServer,
} from "./gen/twice_rpc.js";

type Assignable<From extends To, To> = From;

export type ReaderClientIsConnects = Assignable<
	ReaderClient,
	Client<typeof Reader>
>;

export function clientReader(): ReaderClient {
	return NewReaderClient("127.0.0.1:50051");
}

export type ReaderServerIsConnects = Assignable<
	ReaderServer,
	ServiceImpl<typeof Reader>
>;

export function serveReader(registrar: ServiceRegistrar): void {
	RegisterReaderServer(registrar, new UnimplementedReaderServer());
}

export type WriterClientIsConnects = Assignable<
	WriterClient,
	Client<typeof Writer>
>;

export function clientWriter(): WriterClient {
	return NewWriterClient("127.0.0.1:50051");
}

export type WriterServerIsConnects = Assignable<
	WriterServer,
	ServiceImpl<typeof Writer>
>;

export function serveWriter(registrar: ServiceRegistrar): void {
	RegisterWriterServer(registrar, new UnimplementedWriterServer());
}

export type EchoClientIsConnects = Assignable<EchoClient, Client<typeof Echo>>;

export function clientEcho(): EchoClient {
	return NewEchoClient("127.0.0.1:50051");
}

export type EchoServerIsConnects = Assignable<
	EchoServer,
	ServiceImpl<typeof Echo>
>;

export function serveEcho(registrar: ServiceRegistrar): void {
	RegisterEchoServer(registrar, new UnimplementedEchoServer());
}
