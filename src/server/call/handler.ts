import type { DescMethod } from "@bufbuild/protobuf";
import type { CallParts, ServerContext } from "./handler-context.ts";

/** A handler as users write it. Which of Connect's four signatures it has, its method's kind says. */
// biome-ignore lint/suspicious/noExplicitAny: nothing else is assignable to all four
export type Handler = (request: any, context: ServerContext) => any;

/** A handler with the interceptors around it: from a request, or a stream of them, to a response, or a stream of them. */
export type Handle = (request: unknown, call: CallParts) => unknown;

/** Which sides of a method's calls are streams. */
export function streamsOf({ methodKind }: DescMethod): {
	readonly request: boolean;
	readonly response: boolean;
} {
	return {
		request:
			methodKind === "client_streaming" || methodKind === "bidi_streaming",
		response:
			methodKind === "server_streaming" || methodKind === "bidi_streaming",
	};
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
	return typeof (value as PromiseLike<unknown> | null)?.then === "function";
}
