import type { Import } from "./source.ts";

type Imports<Name extends string> = { readonly [N in Name]: Import };

/** What the generated clients import from `homing`. */
export const homing: Imports<
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

/** What the generated servers import from `homing/server`: only types, so that loading them loads no runtime code. */
export const homingServer: Imports<
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

export const connect: Imports<"Code" | "ConnectError" | "HandlerContext"> = {
	Code: value("Code", "@connectrpc/connect"),
	ConnectError: value("ConnectError", "@connectrpc/connect"),
	HandlerContext: type("HandlerContext", "@connectrpc/connect"),
};

export const protobuf: Imports<"MessageInitShape"> = {
	MessageInitShape: type("MessageInitShape", "@bufbuild/protobuf"),
};

function type(name: string, from: string): Import {
	return { name, from, typeOnly: true };
}

function value(name: string, from: string): Import {
	return { name, from, typeOnly: false };
}
