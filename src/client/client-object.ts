import type {
	DescMessage,
	DescMethod,
	DescService,
	MessageInitShape,
} from "@bufbuild/protobuf";
import { atCallSite, type CallSite, callSite } from "./call/call-site.ts";
import type {
	Caller,
	Messages,
	MethodOf,
	StreamHandle,
} from "./call/caller.ts";
import type { Channel } from "./channel.ts";
import type { CallOptions } from "./options/call-options.ts";
import { clientName } from "./options/client-options.ts";
import { RefusedStream } from "./refused-stream.ts";

/**
 * The channel of a client, and how to close it. It is kept outside of the client object, which has no names but those of
 * its RPCs.
 */
interface Lifecycle {
	readonly channel: Channel | undefined;
	close(): Promise<void>;
}

const NO_CHANNEL: Lifecycle = { channel: undefined, close: async () => {} };

const lifecycles = new WeakMap<object, Lifecycle>();

/**
 * Makes a client: an object without a prototype that has a function for each method of the service.
 *
 * @param lifecycle left out for a client that has no channel
 */
export function makeClient<T extends object>(
	service: DescService,
	caller: Caller,
	lifecycle: Lifecycle = NO_CHANNEL,
): T {
	const client = Object.create(null) as Record<string, unknown>;
	for (const method of service.methods) {
		client[clientName(method.localName)] = functionOf(method, caller);
	}
	Object.defineProperty(client, Symbol.asyncDispose, {
		value: () => lifecycle.close(),
	});
	lifecycles.set(client, lifecycle);
	return client as T;
}

/**
 * Closes the channel that a client owns. Does nothing if the client was given a Channel or Transport, which others may
 * share. Without `await using`, call it when you no longer need the client.
 *
 * @throws TypeError if `client` was not made by homing
 */
export function closeClient(client: object): Promise<void> {
	return lifecycleOf(client).close();
}

/**
 * Returns the channel that a client uses, for example to look at its `snapshot()`. Undefined for a client over a Connect
 * Transport that is not a homing Channel.
 *
 * @throws TypeError if `client` was not made by homing
 */
export function channelOf(client: object): Channel | undefined {
	return lifecycleOf(client).channel;
}

function lifecycleOf(client: object): Lifecycle {
	const lifecycle = lifecycles.get(client);
	if (lifecycle === undefined) {
		throw new TypeError(
			"not a client that homing made: pass what New…Client or newClient returned",
		);
	}
	return lifecycle;
}

type AnyMethod = MethodOf<DescMessage, DescMessage>;
type AnyInit = MessageInitShape<DescMessage>;
type AnyMessages = Messages<DescMessage>;
type AnyStream = StreamHandle<DescMessage, DescMessage>;

function functionOf(method: DescMethod, caller: Caller): unknown {
	const typed = method as AnyMethod;
	/** Starts a stream. Bad options and messages reject, as all errors of calls do, rather than throw. */
	const begin = (
		options: CallOptions | undefined,
		site: CallSite | undefined,
		send?: (stream: AnyStream) => void,
	): AnyStream => {
		try {
			const stream = caller.stream(typed, options, site);
			send?.(stream);
			return stream;
		} catch (error) {
			return new RefusedStream(error);
		}
	};
	const opening = {
		open: function open(options?: CallOptions) {
			return begin(options, callSite(open));
		},
	};
	switch (method.methodKind) {
		case "unary":
			return function call(request?: AnyInit, options?: CallOptions) {
				const site = callSite(call);
				return atCallSite(caller.unary(typed, request, options), site);
			};
		case "server_streaming":
			return function call(request?: AnyInit, options?: CallOptions) {
				return begin(options, callSite(call), (stream) =>
					stream.sendOnly(request),
				);
			};
		case "client_streaming":
			return Object.assign(async function call(
				requests: AnyMessages,
				options?: CallOptions,
			) {
				const site = callSite(call);
				return begin(options, site, (stream) =>
					stream.sendAll(requests),
				).recvOnly();
			}, opening);
		case "bidi_streaming":
			return Object.assign(function call(
				requests: AnyMessages,
				options?: CallOptions,
			) {
				return begin(options, callSite(call), (stream) =>
					stream.sendAll(requests),
				);
			}, opening);
	}
}
