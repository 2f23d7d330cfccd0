import { type Duration, parseDuration } from "../checks/duration.ts";
import { onlyDefined } from "../checks/only-defined.ts";
import { OptionError } from "../checks/option-error.ts";
import {
	anything,
	at,
	boolean,
	type OptionTable,
} from "../checks/option-table.ts";
import type { PolicyRules } from "./policy-rules.ts";
import { JsonFields, parseUint32 } from "./proto-json.ts";
import {
	type CompiledHedgingPolicy,
	compileHedgingPolicy,
	type HedgingPolicy,
} from "./retry/hedging-policy.ts";
import {
	type CompiledRetryPolicy,
	compileRetryPolicy,
	type RetryPolicy,
} from "./retry/retry-policy.ts";

/**
 * What one level says of a method. Retry and hedging are one slot: the nearest
 * level that sets either decides.
 */
export interface MethodPolicy {
	/**
	 * How long the whole call may take, with all its attempts and the time between them: milliseconds, or "2s". 0
	 * switches the deadline off. Default: 10 s for unary calls, none for streams.
	 */
	timeout?: Duration | undefined;
	/**
	 * Whether calls wait for a connection until their deadline, instead of failing while there is none. Default:
	 * false.
	 */
	waitForReady?: boolean | undefined;
	/**
	 * When a failed call is tried again. `false` switches off the retries and hedges that farther levels ask for.
	 * Default: three attempts on UNAVAILABLE for methods whose `idempotency_level` is NO_SIDE_EFFECTS or IDEMPOTENT,
	 * else none.
	 */
	retryPolicy?: RetryPolicy | false | undefined;
	/** Sends a call again before it has failed: only for methods that may be carried out more than once. Default: none. */
	hedgingPolicy?: HedgingPolicy | undefined;
	/** The most bytes of one request message, before compression. Default: no limit. */
	maxRequestMessageBytes?: number | undefined;
	/** The most bytes of one response message, after decompression. Default: 4 MiB. */
	maxResponseMessageBytes?: number | undefined;
}

/** A method policy that has been checked. A field that its level does not set is not there. */
export interface CompiledMethodPolicy {
	/** More than 0; Infinity where the timeout was switched off. */
	readonly timeoutMs?: number;
	readonly waitForReady?: boolean;
	readonly attempts?: AttemptPolicy;
	readonly maxRequestMessageBytes?: number;
	readonly maxResponseMessageBytes?: number;
}

/** How often a call is sent: retry and hedging exclude each other. */
export type AttemptPolicy =
	| { readonly kind: "once" }
	| CompiledRetryPolicy
	| CompiledHedgingPolicy;

/**
 * The rows of a method policy, for the tables of options that include one.
 * `compileMethodPolicy` looks into the two attempt policies.
 */
export const methodPolicyOptions: OptionTable<MethodPolicy> = {
	timeout: parseDuration,
	waitForReady: boolean,
	retryPolicy: anything,
	hedgingPolicy: anything,
	maxRequestMessageBytes: parseUint32,
	maxResponseMessageBytes: parseUint32,
};

/**
 * Checks what one level says of a method. Keys that are no policy's are ignored,
 * so an object that holds more than a policy (a client's options, an entry of a
 * service config) can be given as it is; `checkOptions` with
 * `methodPolicyOptions` is what refuses them.
 *
 * @param where the path of the policy, "" for the outermost
 * @throws OptionError with the path of the first bad field
 */
export function compileMethodPolicy(
	policy: unknown,
	where: string,
	rules: PolicyRules = {},
): CompiledMethodPolicy {
	const fields = new JsonFields(policy, where);
	return onlyDefined({
		timeoutMs: fields.optional("timeout", timeout),
		waitForReady: fields.optional("waitForReady", boolean),
		attempts: attemptPolicy(fields, where, rules),
		maxRequestMessageBytes: fields.optional(
			"maxRequestMessageBytes",
			parseUint32,
		),
		maxResponseMessageBytes: fields.optional(
			"maxResponseMessageBytes",
			parseUint32,
		),
	});
}

function timeout(value: unknown, where: string): number {
	return parseDuration(value, where) || Infinity;
}

function attemptPolicy(
	fields: JsonFields,
	where: string,
	rules: PolicyRules,
): AttemptPolicy | undefined {
	if (fields.has("retryPolicy") && fields.has("hedgingPolicy")) {
		throw new OptionError(
			at(where, "hedgingPolicy"),
			"stands beside a retryPolicy; a method has one or the other, so remove one",
		);
	}
	return (
		fields.optional<AttemptPolicy>("retryPolicy", (value, path) =>
			value === false
				? { kind: "once" }
				: compileRetryPolicy(value, path, rules),
		) ??
		fields.optional("hedgingPolicy", (value, path) =>
			compileHedgingPolicy(value, path, rules),
		)
	);
}

/** Each field from the nearest level that sets it. */
export function mergePolicies(
	...nearestFirst: readonly (CompiledMethodPolicy | undefined)[]
): CompiledMethodPolicy {
	return Object.assign({}, ...nearestFirst.toReversed());
}

/**
 * What a level that speaks of a whole service or client means for a streaming
 * method: all but its timeout, which is for unary calls.
 */
export function forStreaming(
	policy: CompiledMethodPolicy,
): CompiledMethodPolicy {
	const { timeoutMs: _, ...rest } = policy;
	return rest;
}
