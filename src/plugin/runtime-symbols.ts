import { createImportSymbol, type ImportSymbol } from "@bufbuild/protoplugin";

type Symbols<Name extends string> = { readonly [N in Name]: ImportSymbol };

const type = (name: string, from: string): ImportSymbol =>
	createImportSymbol(name, from, true);
const value = (name: string, from: string): ImportSymbol =>
	createImportSymbol(name, from);

/** What the client half of generated code stands on. */
export const homing: Symbols<
	| "newClient"
	| "BakedPolicies"
	| "BidiStreaming"
	| "CallOptions"
	| "ClientOptions"
	| "ClientStreaming"
	| "GeneratedClient"
	| "ServerStream"
	| "Target"
	| "UnaryResponse"
> = {
	newClient: value("newClient", "homing"),
	BakedPolicies: type("BakedPolicies", "homing"),
	BidiStreaming: type("BidiStreaming", "homing"),
	CallOptions: type("CallOptions", "homing"),
	ClientOptions: type("ClientOptions", "homing"),
	ClientStreaming: type("ClientStreaming", "homing"),
	GeneratedClient: type("GeneratedClient", "homing"),
	ServerStream: type("ServerStream", "homing"),
	Target: type("Target", "homing"),
	UnaryResponse: type("UnaryResponse", "homing"),
};

/** What its server half stands on: nothing but types, so that a server loads no client. */
export const homingServer: Symbols<
	| "HandlerPromise"
	| "HandlerResponse"
	| "HandlerStream"
	| "RequestStream"
	| "ServiceRegistrar"
> = {
	HandlerPromise: type("HandlerPromise", "homing/server"),
	HandlerResponse: type("HandlerResponse", "homing/server"),
	HandlerStream: type("HandlerStream", "homing/server"),
	RequestStream: type("RequestStream", "homing/server"),
	ServiceRegistrar: type("ServiceRegistrar", "homing/server"),
};

export const connect: Symbols<"Code" | "ConnectError" | "HandlerContext"> = {
	Code: value("Code", "@connectrpc/connect"),
	ConnectError: value("ConnectError", "@connectrpc/connect"),
	HandlerContext: type("HandlerContext", "@connectrpc/connect"),
};

export const protobuf: Symbols<"MessageInitShape"> = {
	MessageInitShape: type("MessageInitShape", "@bufbuild/protobuf"),
};
