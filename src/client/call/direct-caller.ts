import type {
	DescMessage,
	DescMethod,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import type { CallEnd } from "../../wire/connection.ts";
import type { ChannelCore } from "../channel/channel-core.ts";
import type { CallOptions } from "../options/call-options.ts";
import {
	type ClientPolicies,
	MethodPolicies,
} from "../options/method-policies.ts";
import { type CallTerms, termsOf } from "./call-request.ts";
import type { CallSite } from "./call-site.ts";
import type { Caller, MethodOf, StreamHandle } from "./caller.ts";
import { encodeMessage } from "./message-codec.ts";
import { PreparedMethod } from "./prepared-method.ts";
import { tellFailure, tellMetadata } from "./response-metadata.ts";
import { StreamCall } from "./stream-call.ts";
import { callUnary } from "./unary-call.ts";

/** Makes calls straight over a channel. It is the fast way, for clients without interceptors. */
export class DirectCaller implements Caller {
	readonly #core: ChannelCore;
	readonly #methods: ReadonlyMap<DescMethod, PreparedMethod>;

	constructor(
		core: ChannelCore,
		methods: readonly DescMethod[],
		own: ClientPolicies,
	) {
		this.#core = core;
		this.#methods = new Map(
			methods.map((method) => [
				method,
				new PreparedMethod(method, core, new MethodPolicies(method, own, core)),
			]),
		);
	}

	unary<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		request: MessageInitShape<I> | undefined,
		options: CallOptions | undefined,
	): Promise<MessageShape<O>> {
		return options?.onHeader === undefined && options?.onTrailer === undefined
			? new Promise((resolve, reject) =>
					this.#send<I, O>(method, request, options, resolve, reject),
				)
			: this.#unaryWithMetadata(method, request, options);
	}

	/** Calls `onHeader` and `onTrailer` in the async context of the caller, not in that of the socket. */
	async #unaryWithMetadata<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		request: MessageInitShape<I> | undefined,
		options: CallOptions,
	): Promise<MessageShape<O>> {
		const { promise, resolve, reject } = Promise.withResolvers<CallEnd>();
		let response: MessageShape<O> | undefined;
		const answered = (message: MessageShape<O>, end: CallEnd): void => {
			response = message;
			resolve(end);
		};
		this.#send<I, O>(method, request, options, answered, reject);
		let end: CallEnd;
		try {
			end = await promise;
		} catch (error) {
			tellFailure(options, error);
			throw error;
		}
		tellMetadata(options, end);
		return response as MessageShape<O>;
	}

	#send<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		request: MessageInitShape<I> | undefined,
		options: CallOptions | undefined,
		answered: (message: MessageShape<O>, end: CallEnd) => void,
		failed: (error: unknown) => void,
	): void {
		callUnary<O>(
			this.#prepared(method),
			this.#terms(options),
			encodeMessage(method.input, request),
			answered,
			failed,
		);
	}

	stream<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		options: CallOptions | undefined,
		site?: CallSite,
	): StreamHandle<I, O> {
		const call = new StreamCall<I, O>(
			this.#prepared(method),
			this.#terms(options),
			options ?? {},
			site,
		);
		if (method.methodKind !== "server_streaming") call.start();
		return call;
	}

	#prepared<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
	): PreparedMethod<I, O> {
		return this.#methods.get(method) as PreparedMethod<I, O>;
	}

	/** A call without options needs none. */
	#terms(options: CallOptions | undefined): CallTerms | undefined {
		return options && termsOf(options, this.#core.setting.clock.now());
	}
}
