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

const NO_OPTIONS: CallOptions = {};

/**
 * Makes the calls of a generated client over a Connect Transport, so that interceptors and foreign Transports can take
 * part. A client without them, over a channel, has a `DirectCaller` instead.
 */
export class ConnectCaller implements Caller {
	readonly #transport: Transport;

	constructor(transport: Transport) {
		this.#transport = transport;
	}

	async unary<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		request: MessageInitShape<I> | undefined,
		options: CallOptions = NO_OPTIONS,
	): Promise<MessageShape<O>> {
		if (options !== NO_OPTIONS) checkCallOptions(options);
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
		options: CallOptions = NO_OPTIONS,
		site?: CallSite,
	): StreamHandle<I, O> {
		if (options !== NO_OPTIONS) checkCallOptions(options);
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

/** The caller's context values, to which homing's call options are added. */
function contextOf(options: CallOptions): ContextValues {
	const added = addedOf(options);
	const values = options.contextValues ?? createContextValues();
	return added === undefined ? values : withAdded(values, added);
}

function addedOf(options: CallOptions): AddedCallOptions | undefined {
	const { waitForReady, retryPolicy, hedgingPolicy, hashKey, parent } = options;
	return waitForReady === undefined &&
		retryPolicy === undefined &&
		hedgingPolicy === undefined &&
		hashKey === undefined &&
		parent === undefined
		? undefined
		: { waitForReady, retryPolicy, hedgingPolicy, hashKey, parent };
}

/** Adds the call options without writing them to the caller's own values, which interceptors still read and write. */
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
