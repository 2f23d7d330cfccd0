import {
	type CallOptions as ConnectCallOptions,
	type ContextKey,
	createContextKey,
	type HandlerContext,
} from "@connectrpc/connect";
import { OptionError, shown } from "../../checks/option-error.ts";
import {
	anything,
	boolean,
	type Check,
	callable,
	checkOptions,
	type OptionTable,
	text,
} from "../../checks/option-table.ts";
import {
	type CompiledMethodPolicy,
	compileMethodPolicy,
} from "../../policy/method-policy.ts";
import type { HedgingPolicy } from "../../policy/retry/hedging-policy.ts";
import type { RetryPolicy } from "../../policy/retry/retry-policy.ts";

/**
 * Options of one call: those of Connect (`timeoutMs`, `headers`, `signal`, `onHeader`, `onTrailer`, `contextValues`), and
 * those that homing adds. An option set here overrides the options of the client. A call with an unknown option or a bad
 * value fails with an OptionError that names it.
 */
export interface CallOptions extends ConnectCallOptions {
	/**
	 * Whether the call waits for a ready connection until its deadline. If false, it fails with UNAVAILABLE when no
	 * endpoint can be reached. Default: what the policy of the method says, or else false.
	 */
	waitForReady?: boolean | undefined;
	/**
	 * Whether and how often the call is retried when it fails. `false` switches retries off. Default: what the policy
	 * of the method says.
	 */
	retryPolicy?: RetryPolicy | false | undefined;
	/**
	 * Sends further attempts of the call before the first has failed, and takes the first successful response. Use it
	 * only for methods that may safely run more than once. Default: what the policy of the method says.
	 */
	hedgingPolicy?: HedgingPolicy | undefined;
	/**
	 * The key by which the balancer "ring_hash" chooses the endpoint: calls with equal keys go to the same endpoint.
	 * Default: the metadata header that the balancer's configuration names, or else a random endpoint.
	 */
	hashKey?: string | undefined;
	/**
	 * The context of a server's handler, whose deadline and cancellation the call inherits. `false` inherits nothing.
	 * Default: the context of the handler in which the call is made, if there is one.
	 */
	parent?: HandlerContext | false | undefined;
}

/** The call options that homing adds to Connect's. */
export type AddedCallOptions = Omit<CallOptions, keyof ConnectCallOptions>;

/**
 * The key under which homing's call options are put into `contextValues`. Use it when a homing Channel serves as the
 * Transport of a Connect client, whose own call options do not have them.
 */
export const callOptionsKey: ContextKey<AddedCallOptions | undefined> =
	createContextKey<AddedCallOptions | undefined>(undefined, {
		description: "homing call options",
	});

const milliseconds: Check<number> = (value, where) => {
	if (typeof value === "number" && !Number.isNaN(value)) return value;
	throw new OptionError(
		where,
		`${shown(value)} is not a number of milliseconds; 0 switches the timeout off`,
	);
};

export const abortSignal: Check = (value, where) => {
	if (isObject(value) && "aborted" in value && "addEventListener" in value) {
		return value;
	}
	throw new OptionError(where, `${shown(value)} is not an AbortSignal`);
};

const contextValues: Check = (value, where) => {
	if (isObject(value) && "get" in value && "set" in value) return value;
	throw new OptionError(
		where,
		`${shown(value)} is not a set of context values; make one with createContextValues()`,
	);
};

const parent: Check = (value, where) => {
	if (value === false) return value;
	if (isObject(value) && "signal" in value && "timeoutMs" in value) {
		return value;
	}
	throw new OptionError(
		where,
		`${shown(value)} is not the context of a handler; pass the context to inherit from, or false to inherit from none`,
	);
};

function isObject(value: unknown): value is object {
	return typeof value === "object" && value !== null;
}

const added: OptionTable<AddedCallOptions> = {
	waitForReady: boolean,
	retryPolicy: anything,
	hedgingPolicy: anything,
	hashKey: text,
	parent,
};

const table: OptionTable<CallOptions> = {
	timeoutMs: milliseconds,
	// `metadataOf` checks what is in it.
	headers: anything,
	signal: abortSignal,
	onHeader: callable,
	onTrailer: callable,
	contextValues,
	...added,
};

/** The policy of a call whose options say nothing of it. */
export const NO_POLICY: CompiledMethodPolicy = {};

/**
 * Copies the `headers` of a call.
 *
 * @throws OptionError for a name or value that cannot be a header
 */
export function metadataOf(
	headers: HeadersInit | undefined,
): Headers | undefined {
	if (headers === undefined) return undefined;
	try {
		return new Headers(headers);
	} catch (cause) {
		const error = new OptionError("headers", (cause as Error).message);
		error.cause = cause;
		throw error;
	}
}

/**
 * Checks the options of a call and compiles the policy in them.
 *
 * @throws OptionError that names the bad option
 */
export function policyOfCall(
	options: CallOptions | undefined,
): CompiledMethodPolicy {
	if (options === undefined) return NO_POLICY;
	checkCallOptions(options);
	const policy = hasPolicy(options)
		? compileMethodPolicy(options, "")
		: NO_POLICY;
	return withTimeout(policy, options.timeoutMs);
}

/** @throws OptionError that names the bad option */
export function checkCallOptions(options: CallOptions): void {
	checkOptions(options, table);
}

/** Like `policyOfCall`, for a call through the Transport interface: takes the value of `callOptionsKey` and `timeoutMs`. */
export function policyOfAdded(
	options: AddedCallOptions | undefined,
	timeoutMs: number | undefined,
): CompiledMethodPolicy {
	if (options === undefined) return withTimeout(NO_POLICY, timeoutMs);
	checkOptions(options, added, "callOptionsKey");
	return withTimeout(compileMethodPolicy(options, "callOptionsKey"), timeoutMs);
}

/** Adds Connect's `timeoutMs`: 0 or less switches the deadline off. */
function withTimeout(
	policy: CompiledMethodPolicy,
	timeoutMs: number | undefined,
): CompiledMethodPolicy {
	if (timeoutMs === undefined) return policy;
	return { ...policy, timeoutMs: timeoutMs > 0 ? timeoutMs : Infinity };
}

function hasPolicy(options: AddedCallOptions): boolean {
	return (
		options.waitForReady !== undefined ||
		options.retryPolicy !== undefined ||
		options.hedgingPolicy !== undefined
	);
}
