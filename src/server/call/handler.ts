import type { HandlerContext } from "@connectrpc/connect";
import type { CallScope, callScope } from "../../policy/call-scope.ts";
import type { contextPeer, Peer } from "./peer.ts";

/** A call as its handler, and the interceptors around that, see it. It is the handler's context. */
export interface HandledCall extends HandlerContext {
	readonly [callScope]: CallScope;
	readonly [contextPeer]: Peer;
	/** Replaces the metadata of the response, for interceptors that return other headers than they got. */
	setResponseMetadata(header: Headers, trailer: Headers): void;
}

/** A handler as users write it. The kind of its method says which of Connect's four signatures it has. */
// biome-ignore lint/suspicious/noExplicitAny: nothing else is assignable to all four
export type Handler = (request: any, context: HandlerContext) => any;

/** A handler with the interceptors around it: from a request, or a stream of them, to a response, or a stream of them. */
export type Handle = (request: unknown, call: HandledCall) => unknown;

export function isThenable(value: unknown): value is PromiseLike<unknown> {
	return typeof (value as PromiseLike<unknown> | null)?.then === "function";
}
