import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectError, HandlerContext } from "@connectrpc/connect";
import {
	ambientScope,
	type CallScope,
	scopeOf,
} from "../../policy/call-scope.ts";
import type { CompiledMethodPolicy } from "../../policy/method-policy.ts";
import type { CallEnd } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";

/** What one call asks for, beside its messages. */
export interface CallRequest {
	readonly method: DescMethod;
	/** Asked again when the channel's service config changes before the call could be sent. */
	policy(): CompiledMethodPolicy;
	/** The caller's metadata; nobody else changes it. */
	readonly headers: Headers | undefined;
	readonly signal: AbortSignal | undefined;
	readonly hashKey: string | undefined;
	/** Whose deadline and cancellation the call inherits. */
	readonly scope: CallScope | undefined;
	/** When the call began, on the channel's clock: the deadline counts from here. */
	readonly startedAt: number;
}

/** What a call tells the one who made it. */
export interface CallObserver {
	headers(headers: RawHeaders): void;
	message(message: Uint8Array): void;
	/** Room to send again after a `send` that returned false. */
	writable(): void;
	/** Last and once. `error` is undefined when the status is OK. */
	end(end: CallEnd, error: ConnectError | undefined): void;
}

/** The scope that a call inherits: of `parent`, none if that is false, else of the handler that it is made in. */
export function inheritedScope(
	parent: HandlerContext | false | undefined,
): CallScope | undefined {
	if (parent === false) return undefined;
	return parent === undefined ? ambientScope() : scopeOf(parent);
}

/** Milliseconds on the channel's clock at which a call has to end; Infinity without a deadline. */
export function deadlineOf(request: CallRequest): number {
	const own = request.startedAt + (request.policy().timeoutMs ?? Infinity);
	return Math.min(own, request.scope?.deadline ?? Infinity);
}
