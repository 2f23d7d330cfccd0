import { guarded } from "../../policy/guarded.ts";
import { debugLog } from "../options/debug-log.ts";

/** Of whom a server has refused something. */
export interface RefusedPeer {
	/** "10.0.0.7:41234"; "unix:" for a client on a unix socket. */
	readonly address: string;
}

/** Hears what a server has refused, or cut off: it begins with what it was, an option's name where that is one. */
export type RefusedHook = (what: string, peer: RefusedPeer) => void;

/** What a server refuses clients, or cuts off: the option that says so, or "handshake" for one that has failed, or "protocol". */
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

/** Counts what a server refuses, and tells the hook. */
export class Refusals {
	readonly #hook: RefusedHook;
	readonly #counts: Record<string, number> = {};

	constructor(hook: RefusedHook | undefined) {
		this.#hook = guarded(hook ?? (() => {}), "onRefused of a server");
	}

	/** By what it was. */
	get counts(): Readonly<Record<string, number>> {
		return { ...this.#counts };
	}

	/** Lets nothing that goes wrong in the hook go any further. */
	tell(what: RefusedThing, why: string, { address }: RefusedPeer): void {
		debugLog("server: %s is refused: %s: %s", address, what, why);
		this.#counts[what] = (this.#counts[what] ?? 0) + 1;
		this.#hook(`${what}: ${why}`, { address });
	}
}
