/**
 * Types for generated code only. Generated code refers to no global type, because a proto may declare a message with the
 * same name, such as `message Promise`.
 */
import type {
	DescMessage,
	DescService,
	MessageInitShape,
} from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { ServiceConfig } from "./policy/service-config.ts";

/** The base of every generated client. `await using` closes the channel that the client owns. */
export interface GeneratedClient extends AsyncDisposable {}

/** What the plugin has found in protos and config files for the clients of a service. */
export type BakedPolicies = ServiceConfig & {
	/** The target of clients that are made without one. */
	target?: string;
};

/** The result of a method with one response. Rejects with a ConnectError if the call fails. */
export type UnaryResponse<O> = Promise<O>;

/** The requests of a streaming call, in a handler. */
export type RequestStream<I> = AsyncIterable<I>;

/** What the handler of a unary method returns: the response, or an object with its fields, or a promise of either. */
export type HandlerResponse<O extends DescMessage> =
	| Promise<MessageInitShape<O>>
	| MessageInitShape<O>;

/** What the handler of a client-streaming method returns. */
export type HandlerPromise<O extends DescMessage> = Promise<
	MessageInitShape<O>
>;

/** What a handler with a stream of responses returns: messages, or objects with their fields. */
export type HandlerStream<O extends DescMessage> = AsyncIterable<
	MessageInitShape<O>
>;

/** What `Register<Service>Server` registers with: homing's Server, or an adapter of a Connect router. */
export interface ServiceRegistrar {
	add<S extends DescService>(
		service: S,
		implementation: Partial<ServiceImpl<S>>,
	): unknown;
}
