import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Named as Digits } from "./gen/1digit/2digit_pb.js";
import {
	type NamedClient as DigitsTheClient,
	NewNamedClient as DigitsTheNew,
	RegisterNamedServer as DigitsTheRegister,
	type NamedServer as DigitsTheServer,
	UnimplementedNamedServer as DigitsTheUnimplemented,
} from "./gen/1digit/2digit_rpc.js";
import type { All } from "./gen/all_pb.js";
import {
	type AllClient,
	type AllServer,
	NewAllClient,
	RegisterAllServer,
	UnimplementedAllServer,
} from "./gen/all_rpc.js";
import type { Named as Foo } from "./gen/foo_pb.js";
import {
	type NamedClient as FooTheClient,
	NewNamedClient as FooTheNew,
	RegisterNamedServer as FooTheRegister,
	type NamedServer as FooTheServer,
	UnimplementedNamedServer as FooTheUnimplemented,
} from "./gen/foo_rpc.js";
import type { Named as FooRpc } from "./gen/foo_rpc_pb.js";
import {
	type NamedClient as FooRpcTheClient,
	NewNamedClient as FooRpcTheNew,
	RegisterNamedServer as FooRpcTheRegister,
	type NamedServer as FooRpcTheServer,
	UnimplementedNamedServer as FooRpcTheUnimplemented,
} from "./gen/foo_rpc_rpc.js";
import type { Named as Quote } from "./gen/it's_pb.js";
import {
	type NamedClient as QuoteTheClient,
	NewNamedClient as QuoteTheNew,
	RegisterNamedServer as QuoteTheRegister,
	type NamedServer as QuoteTheServer,
	UnimplementedNamedServer as QuoteTheUnimplemented,
} from "./gen/it's_rpc.js";
import type { Named as Upper } from "./gen/UPPER/Case_pb.js";
import {
	type NamedClient as UpperTheClient,
	NewNamedClient as UpperTheNew,
	RegisterNamedServer as UpperTheRegister,
	type NamedServer as UpperTheServer,
	UnimplementedNamedServer as UpperTheUnimplemented,
} from "./gen/UPPER/Case_rpc.js";
import type { Named as Dots } from "./gen/with.dots.v1_pb.js";
import {
	type NamedClient as DotsTheClient,
	NewNamedClient as DotsTheNew,
	RegisterNamedServer as DotsTheRegister,
	type NamedServer as DotsTheServer,
	UnimplementedNamedServer as DotsTheUnimplemented,
} from "./gen/with.dots.v1_rpc.js";
import type { Named as Spaces } from "./gen/with spaces_pb.js";
import {
	type NamedClient as SpacesTheClient,
	NewNamedClient as SpacesTheNew,
	RegisterNamedServer as SpacesTheRegister,
	type NamedServer as SpacesTheServer,
	UnimplementedNamedServer as SpacesTheUnimplemented,
} from "./gen/with spaces_rpc.js";
import type { Named as Dashes } from "./gen/with-dashes_pb.js";
import {
	type NamedClient as DashesTheClient,
	NewNamedClient as DashesTheNew,
	RegisterNamedServer as DashesTheRegister,
	type NamedServer as DashesTheServer,
	UnimplementedNamedServer as DashesTheUnimplemented,
} from "./gen/with-dashes_rpc.js";

type Assignable<From extends To, To> = From;

export type AllClientIsConnects = Assignable<AllClient, Client<typeof All>>;

export function clientAll(): AllClient {
	return NewAllClient("127.0.0.1:50051");
}

export type AllServerIsConnects = Assignable<
	AllServer,
	ServiceImpl<typeof All>
>;

export function serveAll(registrar: ServiceRegistrar): void {
	RegisterAllServer(registrar, new UnimplementedAllServer());
}

export type DotsClientIsConnects = Assignable<
	DotsTheClient,
	Client<typeof Dots>
>;

export function clientDots(): DotsTheClient {
	return DotsTheNew("127.0.0.1:50051");
}

export type DotsServerIsConnects = Assignable<
	DotsTheServer,
	ServiceImpl<typeof Dots>
>;

export function serveDots(registrar: ServiceRegistrar): void {
	DotsTheRegister(registrar, new DotsTheUnimplemented());
}

export type DashesClientIsConnects = Assignable<
	DashesTheClient,
	Client<typeof Dashes>
>;

export function clientDashes(): DashesTheClient {
	return DashesTheNew("127.0.0.1:50051");
}

export type DashesServerIsConnects = Assignable<
	DashesTheServer,
	ServiceImpl<typeof Dashes>
>;

export function serveDashes(registrar: ServiceRegistrar): void {
	DashesTheRegister(registrar, new DashesTheUnimplemented());
}

export type UpperClientIsConnects = Assignable<
	UpperTheClient,
	Client<typeof Upper>
>;

export function clientUpper(): UpperTheClient {
	return UpperTheNew("127.0.0.1:50051");
}

export type UpperServerIsConnects = Assignable<
	UpperTheServer,
	ServiceImpl<typeof Upper>
>;

export function serveUpper(registrar: ServiceRegistrar): void {
	UpperTheRegister(registrar, new UpperTheUnimplemented());
}

export type SpacesClientIsConnects = Assignable<
	SpacesTheClient,
	Client<typeof Spaces>
>;

export function clientSpaces(): SpacesTheClient {
	return SpacesTheNew("127.0.0.1:50051");
}

export type SpacesServerIsConnects = Assignable<
	SpacesTheServer,
	ServiceImpl<typeof Spaces>
>;

export function serveSpaces(registrar: ServiceRegistrar): void {
	SpacesTheRegister(registrar, new SpacesTheUnimplemented());
}

export type DigitsClientIsConnects = Assignable<
	DigitsTheClient,
	Client<typeof Digits>
>;

export function clientDigits(): DigitsTheClient {
	return DigitsTheNew("127.0.0.1:50051");
}

export type DigitsServerIsConnects = Assignable<
	DigitsTheServer,
	ServiceImpl<typeof Digits>
>;

export function serveDigits(registrar: ServiceRegistrar): void {
	DigitsTheRegister(registrar, new DigitsTheUnimplemented());
}

export type FooClientIsConnects = Assignable<FooTheClient, Client<typeof Foo>>;

export function clientFoo(): FooTheClient {
	return FooTheNew("127.0.0.1:50051");
}

export type FooServerIsConnects = Assignable<
	FooTheServer,
	ServiceImpl<typeof Foo>
>;

export function serveFoo(registrar: ServiceRegistrar): void {
	FooTheRegister(registrar, new FooTheUnimplemented());
}

export type FooRpcClientIsConnects = Assignable<
	FooRpcTheClient,
	Client<typeof FooRpc>
>;

export function clientFooRpc(): FooRpcTheClient {
	return FooRpcTheNew("127.0.0.1:50051");
}

export type FooRpcServerIsConnects = Assignable<
	FooRpcTheServer,
	ServiceImpl<typeof FooRpc>
>;

export function serveFooRpc(registrar: ServiceRegistrar): void {
	FooRpcTheRegister(registrar, new FooRpcTheUnimplemented());
}

export type QuoteClientIsConnects = Assignable<
	QuoteTheClient,
	Client<typeof Quote>
>;

export function clientQuote(): QuoteTheClient {
	return QuoteTheNew("127.0.0.1:50051");
}

export type QuoteServerIsConnects = Assignable<
	QuoteTheServer,
	ServiceImpl<typeof Quote>
>;

export function serveQuote(registrar: ServiceRegistrar): void {
	QuoteTheRegister(registrar, new QuoteTheUnimplemented());
}
