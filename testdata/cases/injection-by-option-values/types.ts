import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Lines, Quotes } from "./gen/injection_pb.js";
import {
	type LinesClient,
	type LinesServer,
	NewLinesClient,
	NewQuotesClient,
	type QuotesClient,
	type QuotesServer,
	RegisterLinesServer,
	RegisterQuotesServer,
	UnimplementedLinesServer,
	UnimplementedQuotesServer,
} from "./gen/injection_rpc.js";

type Assignable<From extends To, To> = From;

export type QuotesClientIsConnects = Assignable<
	QuotesClient,
	Client<typeof Quotes>
>;

export function clientQuotes(): QuotesClient {
	return NewQuotesClient("127.0.0.1:50051");
}

export type QuotesServerIsConnects = Assignable<
	QuotesServer,
	ServiceImpl<typeof Quotes>
>;

export function serveQuotes(registrar: ServiceRegistrar): void {
	RegisterQuotesServer(registrar, new UnimplementedQuotesServer());
}

export type LinesClientIsConnects = Assignable<
	LinesClient,
	Client<typeof Lines>
>;

export function clientLines(): LinesClient {
	return NewLinesClient("127.0.0.1:50051");
}

export type LinesServerIsConnects = Assignable<
	LinesServer,
	ServiceImpl<typeof Lines>
>;

export function serveLines(registrar: ServiceRegistrar): void {
	RegisterLinesServer(registrar, new UnimplementedLinesServer());
}

/** A service that names its target needs none. */
export function withDefaultTarget(): QuotesClient {
	return NewQuotesClient();
}
