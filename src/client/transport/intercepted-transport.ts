import type {
	DescMessage,
	DescMethod,
	DescMethodStreaming,
	DescMethodUnary,
	MessageInitShape,
	MessageShape,
} from "@bufbuild/protobuf";
import {
	type ContextValues,
	createContextValues,
	type Interceptor,
	type StreamRequest,
	type StreamResponse,
	type Transport,
	type UnaryRequest,
	type UnaryResponse,
} from "@connectrpc/connect";
import { shown } from "../../checks/option-error.ts";
import type { Clock } from "../../policy/clock.ts";
import { printError } from "../../policy/print-error.ts";
import type { CompiledServiceConfig } from "../../policy/service-config.ts";
import { type CallRequest, inheritedScope } from "../call/call-request.ts";
import { messageOf } from "../call/message-codec.ts";
import {
	callOptionsKey,
	metadataOf,
	policyOfAdded,
} from "../options/call-options.ts";
import {
	type ClientPolicies,
	MethodPolicies,
} from "../options/method-policies.ts";
import { boundedMessages, CallBounds } from "./call-bounds.ts";
import { responseOf } from "./returned-response.ts";

/** What carries the calls of an InterceptedTransport. */
export interface Carrier {
	readonly clock: Clock;
	/** "scheme://authority", for interceptors. */
	readonly origin: string;
	readonly serviceConfigs: readonly CompiledServiceConfig[];
	unary<I extends DescMessage, O extends DescMessage>(
		method: DescMethodUnary<I, O>,
		request: CallRequest,
		input: MessageInitShape<I>,
		contextValues: ContextValues,
	): Promise<UnaryResponse<I, O>>;
	/** Calls `ended` once the call is over, if it resolves: with its error, if it has failed. */
	stream<I extends DescMessage, O extends DescMessage>(
		method: DescMethodStreaming<I, O>,
		request: CallRequest,
		input: AsyncIterable<MessageInitShape<I>>,
		contextValues: ContextValues,
		ended: (error?: unknown) => void,
	): Promise<StreamResponse<I, O>>;
}

type Next = Parameters<Interceptor>[0];

/** A Connect Transport that gives each call its policy and takes it through interceptors. */
export class InterceptedTransport implements Transport {
	readonly #carrier: Carrier;
	readonly #interceptors: readonly Interceptor[];
	readonly #ownPolicies: ClientPolicies | undefined;
	readonly #policies = new Map<DescMethod, MethodPolicies>();

	constructor(
		carrier: Carrier,
		interceptors: readonly Interceptor[],
		policies?: ClientPolicies,
	) {
		this.#carrier = carrier;
		this.#interceptors = interceptors;
		this.#ownPolicies = policies;
	}

	async unary<I extends DescMessage, O extends DescMessage>(
		method: DescMethodUnary<I, O>,
		signal: AbortSignal | undefined,
		timeoutMs: number | undefined,
		header: HeadersInit | undefined,
		input: MessageInitShape<I>,
		contextValues: ContextValues = createContextValues(),
	): Promise<UnaryResponse<I, O>> {
		const request = this.#request(
			method,
			signal,
			timeoutMs,
			header,
			contextValues,
		);
		const carrier = this.#carrier;
		if (this.#interceptors.length === 0) {
			return carrier.unary(method, request, input, contextValues);
		}
		const bounds = new CallBounds(carrier.clock, request);
		const send = (passed: UnaryRequest<I, O>): Promise<UnaryResponse<I, O>> =>
			carrier.unary(
				method,
				within(request, passed),
				passed.message,
				passed.contextValues,
			);
		return bounds.run(async () =>
			responseOf(
				"an interceptor",
				await this.#intercepted(send)({
					...this.#common(request, contextValues, bounds),
					stream: false,
					method,
					message: messageOf(method.input, input),
				}),
			),
		);
	}

	async stream<I extends DescMessage, O extends DescMessage>(
		method: DescMethodStreaming<I, O>,
		signal: AbortSignal | undefined,
		timeoutMs: number | undefined,
		header: HeadersInit | undefined,
		input: AsyncIterable<MessageInitShape<I>>,
		contextValues: ContextValues = createContextValues(),
	): Promise<StreamResponse<I, O>> {
		const request = this.#request(
			method,
			signal,
			timeoutMs,
			header,
			contextValues,
		);
		const carrier = this.#carrier;
		if (this.#interceptors.length === 0) {
			return carrier.stream(method, request, input, contextValues, () => {});
		}
		const bounds = new CallBounds(carrier.clock, request);
		const send = (
			passed: StreamRequest<I, O>,
		): Promise<StreamResponse<I, O>> => {
			const ended = bounds.hold();
			const response = carrier.stream(
				method,
				within(request, passed),
				passed.message,
				passed.contextValues,
				ended,
			);
			response.catch(ended);
			return response;
		};
		const response = await bounds.run(async () =>
			responseOf(
				"an interceptor",
				await this.#intercepted(send)({
					...this.#common(request, contextValues, bounds),
					stream: true,
					method,
					message: messagesOf(method.input, input),
				}),
			),
		);
		return { ...response, message: boundedMessages(bounds, response.message) };
	}

	#request(
		method: DescMethod,
		signal: AbortSignal | undefined,
		timeoutMs: number | undefined,
		headers: HeadersInit | undefined,
		contextValues: ContextValues,
	): CallRequest {
		const added = contextValues.get(callOptionsKey);
		return {
			method,
			policies: this.#policiesOf(method),
			ownPolicy: policyOfAdded(added, timeoutMs),
			headers: metadataOf(headers),
			signal,
			hashKey: added?.hashKey,
			scope: inheritedScope(added?.parent),
			startedAt: this.#carrier.clock.now(),
		};
	}

	#policiesOf(method: DescMethod): MethodPolicies {
		let policies = this.#policies.get(method);
		if (policies === undefined) {
			policies = new MethodPolicies(method, this.#ownPolicies, this.#carrier);
			this.#policies.set(method, policies);
		}
		return policies;
	}

	/** `call` with the interceptors around it; the first is the outermost. */
	#intercepted<Request, Response>(
		call: (request: Request) => Promise<Response>,
	): (request: Request) => Promise<Response> {
		// An interceptor's type speaks of unary and streaming calls at once; what goes in here comes out as its own kind.
		return this.#interceptors.reduceRight<Next>(
			(next, interceptor) => checked(interceptor(next)),
			call as unknown as Next,
		) as unknown as (request: Request) => Promise<Response>;
	}

	/** What interceptors see of every call. */
	#common(
		{ method, headers }: CallRequest,
		contextValues: ContextValues,
		bounds: CallBounds,
	): Omit<UnaryRequest, "stream" | "method" | "message"> {
		return {
			service: method.parent,
			requestMethod: "POST",
			url: `${this.#carrier.origin}/${method.parent.typeName}/${method.name}`,
			signal: bounds.signal,
			header: headers ?? new Headers(),
			contextValues,
		};
	}
}

/** The call that interceptors let through: their headers and their signal, which has all that can cancel it. */
function within(
	request: CallRequest,
	passed: { readonly header: Headers; readonly signal: AbortSignal },
): CallRequest {
	return { ...request, headers: passed.header, signal: passed.signal };
}

async function* messagesOf<I extends DescMessage>(
	schema: I,
	input: AsyncIterable<MessageInitShape<I>>,
): AsyncIterable<MessageShape<I>> {
	for await (const message of input) yield messageOf(schema, message);
}

/** Throws TypeError for what an interceptor has returned, if it is none. */
function checked(made: Next): Next {
	if (typeof made === "function") return made;
	Promise.resolve<unknown>(made).catch((error) =>
		printError("what an interceptor returned has rejected:", error),
	);
	throw new TypeError(
		`an interceptor returned ${shown(made)}, and no function: write (next) => async (request) => …`,
	);
}
