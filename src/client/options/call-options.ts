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

/** Options of one call: Connect's, and what homing adds. */
export interface CallOptions extends ConnectCallOptions {
	/**
	 * Whether the call waits for a connection until its deadline, instead of failing while there is none. Default:
	 * what the method's policy says, else false.
	 */
	waitForReady?: boolean | undefined;
	/** When this call is tried again after a failure; `false`: never. Default: what the method's policy says. */
	retryPolicy?: RetryPolicy | false | undefined;
	/**
	 * Sends this call again before it has failed: only for methods that may be carried out more than once. Default:
	 * what the method's policy says.
	 */
	hedgingPolicy?: HedgingPolicy | undefined;
	/**
	 * The key by which the balancer "ring_hash" picks the endpoint: calls with the same key go to the same one.
	 * Default: what its configuration takes from the metadata, else chance.
	 */
	hashKey?: string | undefined;
	/**
	 * The context of the handler whose deadline and cancellation the call inherits; `false`: it inherits none.
	 * Default: the handler that makes the call, if one does.
	 */
	parent?: HandlerContext | false | undefined;
}

/** What homing adds to Connect's call options. */
export type AddedCallOptions = Omit<CallOptions, keyof ConnectCallOptions>;

/** The same per-call options for a Channel used as a Connect Transport, where CallOptions are Connect's own: set them in contextValues. */
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
		`${shown(value)} holds no context values; make some with createContextValues()`,
	);
};

const parent: Check = (value, where) => {
	if (value === false) return value;
	if (isObject(value) && "signal" in value && "timeoutMs" in value) {
		return value;
	}
	throw new OptionError(
		where,
		`${shown(value)} is not the context of a handler; give one to inherit from it, or false to inherit from none`,
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
	// Read by metadataOf.
	headers: anything,
	signal: abortSignal,
	onHeader: callable,
	onTrailer: callable,
	contextValues,
	...added,
};

const NOTHING: CompiledMethodPolicy = {};

/** A call's `headers`, in a copy of our own. Throws OptionError for what can be no header. */
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

/** Checks a call's options and reads the policy in them. Throws OptionError that names the bad one. */
export function policyOfCall(
	options: CallOptions | undefined,
): CompiledMethodPolicy {
	if (options === undefined) return NOTHING;
	checkCallOptions(options);
	const policy = hasPolicy(options)
		? compileMethodPolicy(options, "")
		: NOTHING;
	return withTimeout(policy, options.timeoutMs);
}

/** Throws OptionError that names the bad option. */
export function checkCallOptions(options: CallOptions): void {
	checkOptions(options, table);
}

/** As `policyOfCall`, for what came to a Transport: its `timeoutMs`, and what `callOptionsKey` has. */
export function policyOfAdded(
	options: AddedCallOptions | undefined,
	timeoutMs: number | undefined,
): CompiledMethodPolicy {
	if (options === undefined) return withTimeout(NOTHING, timeoutMs);
	checkOptions(options, added, "callOptionsKey");
	return withTimeout(compileMethodPolicy(options, "callOptionsKey"), timeoutMs);
}

/** Connect's `timeoutMs`: 0 or less switches the timeout off. */
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
