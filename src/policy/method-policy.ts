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
 * The policy of a method, as one level sets it. The levels are, from the nearest: call, `methods`, client, the resolver's
 * service config, the `serviceConfig` option, the policies that the plugin found, and the built-in policy. Each field is
 * taken from the nearest level that sets it. Retry and hedging count as one field: the nearest level that sets either of
 * them decides.
 */
export interface MethodPolicy {
	/**
	 * The limit for the whole call, including all attempts and the waits between them: milliseconds, or "2s". 0 switches
	 * the limit off. Default: 10 s for unary calls, no limit for streams.
	 */
	timeout?: Duration | undefined;
	/**
	 * Whether a call waits for a connection until its deadline, instead of failing with UNAVAILABLE while no endpoint can
	 * be connected. Default: false.
	 */
	waitForReady?: boolean | undefined;
	/**
	 * When a failed call is retried. `false` switches off the retries and the hedging that farther levels set.
	 * Default: up to three attempts on UNAVAILABLE for methods whose `idempotency_level` is NO_SIDE_EFFECTS or IDEMPOTENT;
	 * no retries for other methods.
	 */
	retryPolicy?: RetryPolicy | false | undefined;
	/**
	 * Sends further attempts before the first has failed. Use it only for methods that are safe to run more than once.
	 * Default: no hedging.
	 */
	hedgingPolicy?: HedgingPolicy | undefined;
	/** The largest size of one request message, in bytes before compression. Default: no limit. */
	maxRequestMessageBytes?: number | undefined;
	/** The largest size of one response message, in bytes after decompression. Default: 4 MiB. */
	maxResponseMessageBytes?: number | undefined;
}

/** A checked method policy. A field that its level does not set is absent. */
export interface CompiledMethodPolicy {
	/** More than 0; Infinity if the timeout is switched off. */
	readonly timeoutMs?: number;
	readonly waitForReady?: boolean;
	readonly attempts?: AttemptPolicy;
	readonly maxRequestMessageBytes?: number;
	readonly maxResponseMessageBytes?: number;
}

/** Whether a call is sent once, retried, or hedged. Retry and hedging exclude each other. */
export type AttemptPolicy =
	| { readonly kind: "once" }
	| CompiledRetryPolicy
	| CompiledHedgingPolicy;

/**
 * The rows of a method policy, for option tables that include them. The two
 * attempt policies are checked by `compileMethodPolicy`.
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
 * Checks the method policy of one level. Ignores keys that are not part of a
 * method policy, so that an object that also holds other options (such as a
 * client's options, or an entry of a service config) can be passed as it is. Use
 * `checkOptions` with `methodPolicyOptions` to refuse unknown keys.
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
			"is given together with a retryPolicy; a method can have only one of them, so remove one",
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

/** Merges the levels: each field is taken from the nearest level that sets it. */
export function mergePolicies(
	...nearestFirst: readonly (CompiledMethodPolicy | undefined)[]
): CompiledMethodPolicy {
	return Object.assign({}, ...nearestFirst.toReversed());
}

/**
 * The part of a service-wide or client-wide policy that applies to a streaming
 * method: everything but the timeout, which is for unary calls only.
 */
export function forStreaming(
	policy: CompiledMethodPolicy,
): CompiledMethodPolicy {
	const { timeoutMs: _, ...rest } = policy;
	return rest;
}
