import { guarded } from "../../policy/guarded.ts";
import { debugLog } from "../options/debug-log.ts";
import type { RefusedHook, RefusedPeer } from "../options/refused-hook.ts";

/**
 * What a server refuses or cuts off: the name of the option that asks for it; "handshake" for a handshake that failed,
 * "protocol" for a client that broke HTTP/2's rules, "resets" for too many cancelled calls.
 */
export type RefusedThing =
	| "handshake"
	| "protocol"
	| "handshakeTimeout"
	| "keepalive"
	| "frameTimeout"
	| "maxUnreadRequestBytes"
	| "maxConcurrentStreams"
	| "maxMetadataBytes"
	| "resets";

/** Counts what a server refuses, and tells the `onRefused` hook. */
export class Refusals {
	readonly #hook: RefusedHook;
	readonly #counts: Record<string, number> = {};

	constructor(hook: RefusedHook | undefined) {
		this.#hook = guarded(hook ?? (() => {}), "onRefused of a server");
	}

	/** How often each thing was refused. */
	get counts(): Readonly<Record<string, number>> {
		return { ...this.#counts };
	}

	/** Counts one refusal. What the hook throws is printed and goes no further. */
	tell(what: RefusedThing, why: string, { address }: RefusedPeer): void {
		debugLog("server: %s is refused: %s: %s", address, what, why);
		this.#counts[what] = (this.#counts[what] ?? 0) + 1;
		this.#hook(`${what}: ${why}`, { address });
	}
}
