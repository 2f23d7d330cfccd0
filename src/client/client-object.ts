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

/** What a client stands on, kept beside it: no name on the client itself may get in the way of an RPC. */
interface Footing {
	readonly channel: Channel | undefined;
	close(): Promise<void>;
}

const footings = new WeakMap<object, Footing>();

/** A client: an object without a prototype, with a function for each method. */
export function makeClient<T extends object>(
	service: DescService,
	caller: Caller,
	footing: Footing,
): T {
	const client = Object.create(null) as Record<string, unknown>;
	for (const method of service.methods) {
		client[clientName(method.localName)] = functionOf(method, caller);
	}
	Object.defineProperty(client, Symbol.asyncDispose, {
		value: () => footing.close(),
	});
	footings.set(client, footing);
	return client as T;
}

/** Closes the channel that the client owns; of a borrowed one, does nothing. Throws TypeError for what is no client. */
export function closeClient(client: object): Promise<void> {
	return footingOf(client).close();
}

/** The channel under a client; undefined when it stands on another Transport. Throws TypeError for what is no client. */
export function channelOf(client: object): Channel | undefined {
	return footingOf(client).channel;
}

function footingOf(client: object): Footing {
	const footing = footings.get(client);
	if (footing === undefined) {
		throw new TypeError(
			"not a client that homing made: pass what New…Client or newClient returned",
		);
	}
	return footing;
}

type AnyMethod = MethodOf<DescMessage, DescMessage>;
type AnyInit = MessageInitShape<DescMessage>;
type AnyMessages = Messages<DescMessage>;
type AnyStream = StreamHandle<DescMessage, DescMessage>;

function functionOf(method: DescMethod, caller: Caller): unknown {
	const typed = method as AnyMethod;
	/** Bad options and messages are told as all that goes wrong with a call is: by rejection. */
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
