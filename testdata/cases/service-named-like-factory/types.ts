import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type {
	Foo,
	NewFoo,
	RegisterFoo,
	UnimplementedFoo,
} from "./gen/foo_pb.js";
import {
	type FooClient,
	type FooServer,
	NewFooClient,
	type NewFooClient$,
	type NewFooServer,
	NewNewFooClient,
	NewRegisterFooClient,
	NewUnimplementedFooClient,
	type RegisterFooClient,
	RegisterFooServer,
	type RegisterFooServer$,
	RegisterNewFooServer,
	RegisterRegisterFooServer,
	RegisterUnimplementedFooServer,
	type UnimplementedFooClient,
	UnimplementedFooServer,
	type UnimplementedFooServer$,
	UnimplementedNewFooServer,
	UnimplementedRegisterFooServer,
	UnimplementedUnimplementedFooServer,
} from "./gen/foo_rpc.js";

type Assignable<From extends To, To> = From;

export type FooClientIsConnects = Assignable<FooClient, Client<typeof Foo>>;

export function clientFoo(): FooClient {
	return NewFooClient("127.0.0.1:50051");
}

export type FooServerIsConnects = Assignable<
	FooServer,
	ServiceImpl<typeof Foo>
>;

export function serveFoo(registrar: ServiceRegistrar): void {
	RegisterFooServer(registrar, new UnimplementedFooServer());
}

export type NewFooClientIsConnects = Assignable<
	NewFooClient$,
	Client<typeof NewFoo>
>;

export function clientNewFoo(): NewFooClient$ {
	return NewNewFooClient("127.0.0.1:50051");
}

export type NewFooServerIsConnects = Assignable<
	NewFooServer,
	ServiceImpl<typeof NewFoo>
>;

export function serveNewFoo(registrar: ServiceRegistrar): void {
	RegisterNewFooServer(registrar, new UnimplementedNewFooServer());
}

export type RegisterFooClientIsConnects = Assignable<
	RegisterFooClient,
	Client<typeof RegisterFoo>
>;

export function clientRegisterFoo(): RegisterFooClient {
	return NewRegisterFooClient("127.0.0.1:50051");
}

export type RegisterFooServerIsConnects = Assignable<
	RegisterFooServer$,
	ServiceImpl<typeof RegisterFoo>
>;

export function serveRegisterFoo(registrar: ServiceRegistrar): void {
	RegisterRegisterFooServer(registrar, new UnimplementedRegisterFooServer());
}

export type UnimplementedFooClientIsConnects = Assignable<
	UnimplementedFooClient,
	Client<typeof UnimplementedFoo>
>;

export function clientUnimplementedFoo(): UnimplementedFooClient {
	return NewUnimplementedFooClient("127.0.0.1:50051");
}

export type UnimplementedFooServerIsConnects = Assignable<
	UnimplementedFooServer$,
	ServiceImpl<typeof UnimplementedFoo>
>;

export function serveUnimplementedFoo(registrar: ServiceRegistrar): void {
	RegisterUnimplementedFooServer(
		registrar,
		new UnimplementedUnimplementedFooServer(),
	);
}
