import type {
	DescMessage,
	DescMethod,
	DescMethodStreaming,
	DescMethodUnary,
	MessageInitShape,
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
import { printError } from "../../policy/print-error.ts";
import { inheritedScope } from "../call/call-request.ts";
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
import type { CarriedCall, Carrier } from "./carrier.ts";
import { checkedMessages } from "./checked-messages.ts";
import { responseOf } from "./returned-response.ts";

type Next = Parameters<Interceptor>[0];

/**
 * A Connect Transport that gives each call its policy and takes it through interceptors, before its carrier takes it over.
 * A Channel is one; and the calls of generated clients go through one if there are interceptors, or if the client stands
 * on a foreign Transport.
 */
export class InterceptedTransport implements Transport {
	readonly #carrier: Carrier;
	readonly #interceptors: readonly Interceptor[];
	readonly #ownPolicies: ClientPolicies | undefined;
	readonly #policies = new Map<DescMethod, MethodPolicies>();

	/** @param policies those of a client; a Channel has none of its own */
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
		values?: ContextValues,
	): Promise<UnaryResponse<I, O>> {
		const call = this.#call(method, signal, timeoutMs, header, values);
		const carrier = this.#carrier;
		if (this.#interceptors.length === 0) return carrier.unary(call, input);
		const bounds = new CallBounds(carrier, call);
		const send = (passed: UnaryRequest<I, O>): Promise<UnaryResponse<I, O>> =>
			carrier.unary(within(call, passed), passed.message);
		return bounds.run(async () =>
			responseOf(
				"an interceptor",
				await this.#intercepted(send)({
					...this.#common(call, bounds),
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
		values?: ContextValues,
	): Promise<StreamResponse<I, O>> {
		const call = this.#call(method, signal, timeoutMs, header, values);
		const carrier = this.#carrier;
		if (this.#interceptors.length === 0) {
			return carrier.stream(call, input, () => {});
		}
		const bounds = new CallBounds(carrier, call);
		const send = (
			passed: StreamRequest<I, O>,
		): Promise<StreamResponse<I, O>> => {
			const ended = bounds.hold();
			const carried = within(call, passed);
			const response = carrier.stream(carried, passed.message, ended);
			response.catch(ended);
			return response;
		};
		const response = await bounds.run(async () =>
			responseOf(
				"an interceptor",
				await this.#intercepted(send)({
					...this.#common(call, bounds),
					stream: true,
					method,
					message: checkedMessages(method.input, input),
				}),
			),
		);
		return { ...response, message: boundedMessages(bounds, response.message) };
	}

	#call<Method extends DescMethod>(
		method: Method,
		signal: AbortSignal | undefined,
		timeoutMs: number | undefined,
		headers: HeadersInit | undefined,
		contextValues: ContextValues = createContextValues(),
	): CarriedCall<Method> {
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
			contextValues,
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

	/** Puts the interceptors around a call; the first is the outermost. */
	#intercepted<Request, Response>(
		call: (request: Request) => Promise<Response>,
	): (request: Request) => Promise<Response> {
		// An interceptor's type speaks of unary and streaming calls at once; what goes in here comes out as its own kind.
		return this.#interceptors.reduceRight<Next>(
			(next, interceptor) => checked(interceptor(next)),
			call as unknown as Next,
		) as unknown as (request: Request) => Promise<Response>;
	}

	/** What interceptors see of a call of any kind. */
	#common(
		{ method, headers, contextValues }: CarriedCall,
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

/**
 * The call that interceptors have let through, with what they may have changed. Their signal fires for everything that can
 * cancel the call.
 */
function within<Method extends DescMethod>(
	call: CarriedCall<Method>,
	passed: {
		readonly header: Headers;
		readonly signal: AbortSignal;
		readonly contextValues: ContextValues;
	},
): CarriedCall<Method> {
	const { header, signal, contextValues } = passed;
	return { ...call, headers: header, signal, contextValues };
}

/** Throws TypeError if an interceptor has returned no function. */
function checked(made: Next): Next {
	if (typeof made === "function") return made;
	Promise.resolve<unknown>(made).catch((error) =>
		printError("what an interceptor returned has rejected:", error),
	);
	throw new TypeError(
		`an interceptor returned ${shown(made)}, and no function: write (next) => async (request) => …`,
	);
}
