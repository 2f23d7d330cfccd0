/**
 * The types that generated code is written in, beside those of the public
 * face. Generated code refers to no global, because a proto may well declare a
 * `message Promise`.
 */
import type {
	DescMessage,
	DescService,
	MessageInitShape,
} from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { ServiceConfig } from "./policy/service-config.ts";

/** What every generated client is besides its methods: `await using` closes what it owns. */
export interface GeneratedClient extends AsyncDisposable {}

/** What the plugin found in protos and config files for the clients of one service. */
export type BakedPolicies = ServiceConfig & {
	/** Where the service is, unless the factory is told otherwise. */
	target?: string;
};

/** The answer of a method with one response: rejects with a ConnectError if the call fails. */
export type UnaryResponse<O> = Promise<O>;

/** What a handler reads the requests of a streaming call from. */
export type RequestStream<I> = AsyncIterable<I>;

/** What the handler of a unary method returns: the response or its fields, at once or later. */
export type HandlerResponse<O extends DescMessage> =
	| Promise<MessageInitShape<O>>
	| MessageInitShape<O>;

/** What a handler that reads a stream and gives one response returns. */
export type HandlerPromise<O extends DescMessage> = Promise<
	MessageInitShape<O>
>;

/** What a handler that streams its responses returns: messages or their fields. */
export type HandlerStream<O extends DescMessage> = AsyncIterable<
	MessageInitShape<O>
>;

/** What Register<Service>Server needs: homing's Server, or an adapter onto a Connect router. */
export interface ServiceRegistrar {
	add<S extends DescService>(
		service: S,
		implementation: Partial<ServiceImpl<S>>,
	): unknown;
}
