import type { ConnectError, HandlerContext } from "@connectrpc/connect";
import {
	ambientScope,
	type CallScope,
	scopeOf,
} from "../../policy/call-scope.ts";
import {
	type CompiledMethodPolicy,
	mergePolicies,
} from "../../policy/method-policy.ts";
import type { CallEnd } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import {
	type CallOptions,
	metadataOf,
	NO_POLICY,
	policyOfCall,
} from "../options/call-options.ts";
import type { PolicySource } from "../options/method-policies.ts";

/** What one call asks for, beside its method and its messages. */
export interface CallTerms {
	/** The policy in the options of the call itself. */
	readonly ownPolicy: CompiledMethodPolicy;
	/** The caller's metadata. Nobody else changes it. */
	readonly headers: Headers | undefined;
	readonly signal: AbortSignal | undefined;
	/** The key by which "ring_hash" picks an endpoint. */
	readonly hashKey: string | undefined;
	/** The call whose deadline and cancellation this one inherits. */
	readonly scope: CallScope | undefined;
	/** When the call began, on the channel's clock. Its deadline counts from here. */
	readonly startedAt: number;
}

/** What a call tells its owner. */
export interface CallObserver {
	headers(headers: RawHeaders): void;
	message(message: Uint8Array): void;
	/** There is room to send again, after a `send` that returned false. */
	writable(): void;
	/** The call has ended. Called once; nothing follows. `error` is undefined when the status is OK. */
	end(end: CallEnd, error: ConnectError | undefined): void;
}

/**
 * Reads the options of a call that begins now.
 *
 * @throws OptionError that names the bad option
 */
export function termsOf(options: CallOptions, startedAt: number): CallTerms {
	return {
		ownPolicy: policyOfCall(options),
		headers: metadataOf(options.headers),
		signal: options.signal,
		hashKey: options.hashKey,
		scope: inheritedScope(options.parent),
		startedAt,
	};
}

/** The policy of a call: what it says itself, and for the rest that of its method, by the service configs of this moment. */
export function policyOf({
	ownPolicy,
	policies,
}: {
	readonly ownPolicy: CompiledMethodPolicy;
	readonly policies: PolicySource;
}): CompiledMethodPolicy {
	return ownPolicy === NO_POLICY
		? policies.current
		: mergePolicies(ownPolicy, policies.current);
}

/** The scope that a call inherits: that of `parent`, none if it is false, by default that of the handler that makes the call. */
export function inheritedScope(
	parent: HandlerContext | false | undefined,
): CallScope | undefined {
	if (parent === false) return undefined;
	return parent === undefined ? ambientScope() : scopeOf(parent);
}

/** When a call has to end, on the channel's clock: Infinity without a deadline. */
export function deadlineAfter(
	{ timeoutMs }: CompiledMethodPolicy,
	startedAt: number,
	scope: CallScope | undefined,
): number {
	const own = timeoutMs === undefined ? Infinity : startedAt + timeoutMs;
	const inherited = scope?.deadline;
	return inherited === undefined ? own : Math.min(own, inherited);
}
