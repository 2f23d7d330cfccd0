import type {
	DescMessage,
	DescMethod,
	DescMethodStreaming,
	DescMethodUnary,
	MessageInitShape,
} from "@bufbuild/protobuf";
import type {
	ContextValues,
	StreamResponse,
	UnaryResponse,
} from "@connectrpc/connect";
import type { Clock } from "../../policy/clock.ts";
import type { Deadlines } from "../../policy/deadlines.ts";
import {
	type CallTerms,
	deadlineAfter,
	policyOf,
} from "../call/call-request.ts";
import type {
	PolicySource,
	ServiceConfigSource,
} from "../options/method-policies.ts";

/** A call through Connect's Transport interface. */
export interface CarriedCall<Method extends DescMethod = DescMethod>
	extends CallTerms {
	readonly method: Method;
	readonly policies: PolicySource;
	/** The caller's values for interceptors. */
	readonly contextValues: ContextValues;
}

/**
 * Carries the calls of an `InterceptedTransport` once its interceptors have let them through: over a channel
 * (`ChannelCarrier`), or over a Transport that is not homing's (`ForeignCarrier`).
 */
export interface Carrier extends ServiceConfigSource {
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	/** "scheme://authority", for interceptors. */
	readonly origin: string;
	unary<I extends DescMessage, O extends DescMessage>(
		call: CarriedCall<DescMethodUnary<I, O>>,
		input: MessageInitShape<I>,
	): Promise<UnaryResponse<I, O>>;
	/**
	 * @param ended called when a call for which this resolves has ended; with its error, if it has failed
	 */
	stream<I extends DescMessage, O extends DescMessage>(
		call: CarriedCall<DescMethodStreaming<I, O>>,
		input: AsyncIterable<MessageInitShape<I>>,
		ended: (error?: unknown) => void,
	): Promise<StreamResponse<I, O>>;
}

/** When a call has to end, on the carrier's clock: Infinity without a deadline. */
export function deadlineOf(
	call: Pick<CarriedCall, "ownPolicy" | "policies" | "scope" | "startedAt">,
): number {
	return deadlineAfter(policyOf(call), call.startedAt, call.scope);
}
