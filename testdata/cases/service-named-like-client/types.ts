import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Foo, FooClient, FooServer } from "./gen/foo_pb.js";
import {
	type FooClient$,
	type FooClientClient,
	type FooClientServer,
	type FooServer$,
	type FooServerClient,
	type FooServerServer,
	NewFooClient,
	NewFooClientClient,
	NewFooServerClient,
	RegisterFooClientServer,
	RegisterFooServer,
	RegisterFooServerServer,
	UnimplementedFooClientServer,
	UnimplementedFooServer,
	UnimplementedFooServerServer,
} from "./gen/foo_rpc.js";

type Assignable<From extends To, To> = From;

export type FooClientIsConnects = Assignable<FooClient$, Client<typeof Foo>>;

export function clientFoo(): FooClient$ {
	return NewFooClient("127.0.0.1:50051");
}

export type FooServerIsConnects = Assignable<
	FooServer$,
	ServiceImpl<typeof Foo>
>;

export function serveFoo(registrar: ServiceRegistrar): void {
	RegisterFooServer(registrar, new UnimplementedFooServer());
}

export type FooClientClientIsConnects = Assignable<
	FooClientClient,
	Client<typeof FooClient>
>;

export function clientFooClient(): FooClientClient {
	return NewFooClientClient("127.0.0.1:50051");
}

export type FooClientServerIsConnects = Assignable<
	FooClientServer,
	ServiceImpl<typeof FooClient>
>;

export function serveFooClient(registrar: ServiceRegistrar): void {
	RegisterFooClientServer(registrar, new UnimplementedFooClientServer());
}

export type FooServerClientIsConnects = Assignable<
	FooServerClient,
	Client<typeof FooServer>
>;

export function clientFooServer(): FooServerClient {
	return NewFooServerClient("127.0.0.1:50051");
}

export type FooServerServerIsConnects = Assignable<
	FooServerServer,
	ServiceImpl<typeof FooServer>
>;

export function serveFooServer(registrar: ServiceRegistrar): void {
	RegisterFooServerServer(registrar, new UnimplementedFooServerServer());
}
