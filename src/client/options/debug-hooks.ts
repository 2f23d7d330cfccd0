import { debuglog } from "node:util";
import type { Code } from "@connectrpc/connect";
import type { Endpoint } from "../../discovery/resolver.ts";
import { codeName } from "../../policy/code.ts";
import type { CallInfo, ClientHooks } from "./hooks.ts";

/** The line about a resolution names at most this many addresses. */
const NAMED = 5;

const log = debuglog("homing");

/**
 * The hooks of a channel. If `NODE_DEBUG` contains "homing", each hook also prints a line to stderr; otherwise the hooks
 * are returned as they are.
 */
export function debuggedHooks(
	channel: string,
	hooks: ClientHooks,
): ClientHooks {
	if (!log.enabled) return hooks;
	const printing = printingHooks((line) => log("%s: %s", channel, line));
	return Object.fromEntries(
		Object.entries(printing).map(([name, print]) => {
			const hook = hooks[name as keyof ClientHooks];
			const both = (...args: never[]): void => {
				(print as (...args: never[]) => void)(...args);
				(hook as ((...args: never[]) => void) | undefined)?.(...args);
			};
			return [name, both];
		}),
	);
}

/** Hooks that describe each event in a line, for `NODE_DEBUG=homing` (nodejs.org/api/util.html#utildebuglogsection). */
export function printingHooks(
	print: (line: string) => void,
): Required<ClientHooks> {
	return {
		callStart: () => {},
		callEnd: (call, { error, latencyMs, attempts }) =>
			print(
				`${nameOf(call)} ended ${error?.message ?? "[ok]"}, after ${ms(latencyMs)} and ${counted(attempts, "attempt")}`,
			),
		attemptStart: (call, { number, endpoint, hedge }) =>
			print(
				`${nameOf(call)} ${attempt(number, hedge)} goes to ${addressOf(endpoint)}`,
			),
		attemptEnd: (call, { number, endpoint, code, latencyMs }) =>
			print(
				`${nameOf(call)} ${attempt(number, false)} at ${addressOf(endpoint)} ended ${outcome(code)} after ${ms(latencyMs)}`,
			),
		retry: (call, { kind, delayMs, reason }) =>
			print(`${nameOf(call)} ${RETRIES[kind](ms(delayMs))}: ${reason}`),
		resolved: (resolution) =>
			print(
				"error" in resolution
					? `resolution failed: ${resolution.error.message}`
					: `resolved to ${listed(resolution.endpoints)}`,
			),
		endpointState: (endpoint, state, reason) =>
			print(
				`${addressOf(endpoint)} is ${STATES[state] ?? state}${reason && `: ${reason}`}`,
			),
		metadataDropped: (call, name) =>
			print(
				`${nameOf(call)} goes without the metadata "${name}": the name belongs to HTTP/2 or gRPC`,
			),
	};
}

const RETRIES = {
	scheduled: (delay: string) => `is retried in ${delay}`,
	denied: () => "is not retried",
	transparent: () => "is sent again",
};

/** States that need other words in a sentence. */
const STATES: Readonly<Record<string, string>> = {
	transientFailure: "in transient failure",
	shutdown: "shut down",
	uneject: "no longer ejected",
	breakerOpen: "behind an open circuit breaker",
	breakerClosed: "behind a closed circuit breaker",
};

function nameOf({ service, method }: CallInfo): string {
	return `${service}/${method}`;
}

function attempt(number: number, hedge: boolean): string {
	return `attempt ${number}${hedge ? " (a hedge)" : ""}`;
}

function outcome(code: Code | undefined): string {
	return `[${code === undefined ? "ok" : codeName(code)}]`;
}

function ms(ms: number): string {
	return `${ms.toFixed(1)} ms`;
}

function counted(count: number, what: string): string {
	return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function listed(endpoints: readonly Endpoint[]): string {
	const named = endpoints.slice(0, NAMED).map(addressOf).join(", ");
	const more = endpoints.length - NAMED;
	return `${counted(endpoints.length, "endpoint")}: ${named}${more > 0 ? ` and ${more} more` : ""}`;
}

function addressOf({ address }: Endpoint): string {
	return typeof address === "string" ? address : address.join(" or ");
}
