import type {
	DescMessage,
	DescMethod,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import { mergePolicies } from "../policy/method-policy.ts";
import { toHeaders } from "../wire/metadata.ts";
import { type CallOptions, metadataOf, policyOfCall } from "./call-options.ts";
import { type CallRequest, inheritedScope } from "./call-request.ts";
import type { Caller, MethodOf, StreamHandle } from "./caller.ts";
import type { ChannelCore } from "./channel-core.ts";
import { encodeMessage } from "./message-codec.ts";
import { type ClientPolicies, MethodPolicies } from "./method-policies.ts";
import { StreamCall } from "./stream-call.ts";
import { callUnary } from "./unary-call.ts";

/** Calls straight over a channel of homing's own: the fast way, taken when there are no interceptors. */
export class ChannelCaller implements Caller {
	readonly #core: ChannelCore;
	readonly #policies: ReadonlyMap<DescMethod, MethodPolicies>;

	constructor(
		core: ChannelCore,
		methods: readonly DescMethod[],
		own: ClientPolicies,
	) {
		this.#core = core;
		this.#policies = new Map(
			methods.map((method) => [method, new MethodPolicies(method, own)]),
		);
	}

	async unary<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		request: MessageInitShape<I> | undefined,
		options: CallOptions | undefined,
	): Promise<MessageShape<O>> {
		const outcome = await callUnary<O>(
			this.#core,
			this.#request(method, options),
			encodeMessage(method.input, request),
		);
		options?.onHeader?.(toHeaders(outcome.headers));
		options?.onTrailer?.(toHeaders(outcome.trailers));
		return outcome.message;
	}

	stream<I extends DescMessage, O extends DescMessage>(
		method: MethodOf<I, O>,
		options: CallOptions | undefined,
	): StreamHandle<I, O> {
		const request = this.#request(method, options);
		return new StreamCall<I, O>(
			this.#core,
			{ ...request, method },
			options ?? {},
		);
	}

	#request(method: DescMethod, options: CallOptions | undefined): CallRequest {
		const policies = this.#policies.get(method) as MethodPolicies;
		const core = this.#core;
		const startedAt = core.setting.clock.now();
		const policy = (): ReturnType<MethodPolicies["under"]> =>
			policies.under(core.serviceConfigs);
		if (options === undefined) {
			return {
				method,
				policy,
				headers: undefined,
				signal: undefined,
				hashKey: undefined,
				scope: inheritedScope(undefined),
				startedAt,
			};
		}
		const own = policyOfCall(options);
		return {
			method,
			policy: () => mergePolicies(own, policy()),
			headers: metadataOf(options.headers),
			signal: options.signal,
			hashKey: options.hashKey,
			scope: inheritedScope(options.parent),
			startedAt,
		};
	}
}
