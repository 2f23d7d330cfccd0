import type {
	DescMessage,
	DescMethodStreaming,
	DescMethodUnary,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import {
	type ContextValues,
	createContextValues,
	type Transport,
	type UnaryResponse,
} from "@connectrpc/connect";
import { guarded } from "../../policy/guarded.ts";
import type { CallSite } from "../call/call-site.ts";
import type { Caller, MethodOf, StreamHandle } from "../call/caller.ts";
import { messageOf } from "../call/message-codec.ts";
import { tellFailure } from "../call/response-metadata.ts";
import {
	type AddedCallOptions,
	type CallOptions,
	callOptionsKey,
	checkCallOptions,
	metadataOf,
} from "../options/call-options.ts";
import { TransportStream } from "./transport-stream.ts";

/** Calls over any Connect Transport. */
export class ConnectCaller implements Caller {
	readonly #transport: Transport;

	constructor(transport: Transport) {
		this.#transport = transport;
	}

	async unary<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		request: MessageInitShape<I> | undefined,
		options: CallOptions = {},
	): Promise<MessageShape<O>> {
		checkCallOptions(options);
		const answer = this.#transport.unary<I, O>(
			method as DescMethodUnary<I, O>,
			options.signal,
			options.timeoutMs,
			options.headers,
			messageOf(method.input, request) as MessageInitShape<I>,
			contextOf(options),
		);
		let response: UnaryResponse<I, O>;
		try {
			response = await answer;
		} catch (error) {
			tellFailure(options, error);
			throw error;
		}
		const { onHeader, onTrailer } = options;
		if (onHeader) guarded(onHeader, "onHeader")(response.header);
		if (onTrailer) guarded(onTrailer, "onTrailer")(response.trailer);
		return response.message;
	}

	stream<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		options: CallOptions = {},
		site?: CallSite,
	): StreamHandle<I, O> {
		checkCallOptions(options);
		const headers = metadataOf(options.headers);
		return new TransportStream<I, O>(
			method,
			options,
			(signal, messages) =>
				this.#transport.stream<I, O>(
					method as DescMethodStreaming<I, O>,
					signal,
					options.timeoutMs,
					headers,
					messages,
					contextOf(options),
				),
			site,
		);
	}
}

/** The caller's context values, with homing's call options among them. */
function contextOf(options: CallOptions): ContextValues {
	const added = addedOf(options);
	const values = options.contextValues ?? createContextValues();
	return added === undefined ? values : withAdded(values, added);
}

function addedOf(options: CallOptions): AddedCallOptions | undefined {
	const { waitForReady, retryPolicy, hedgingPolicy, hashKey, parent } = options;
	const added = { waitForReady, retryPolicy, hedgingPolicy, hashKey, parent };
	const isSet = Object.values(added).some((value) => value !== undefined);
	return isSet ? added : undefined;
}

/** Interceptors read and write the caller's own values through it; only the call options stand apart. */
function withAdded(
	values: ContextValues,
	added: AddedCallOptions,
): ContextValues {
	const overlay: ContextValues = {
		get: (key) =>
			key.id === callOptionsKey.id
				? (added as typeof key.defaultValue)
				: values.get(key),
		set: (key, value) => {
			values.set(key, value);
			return overlay;
		},
		delete: (key) => {
			values.delete(key);
			return overlay;
		},
	};
	return overlay;
}
