import type { RequestTerms, ServerCall } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import type { Peer } from "./peer.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponseTerms } from "./response.ts";

/** How a call has come to its server, and what its request's headers settle. */
export interface CallArrival extends RequestTerms, ResponseTerms {
	readonly call: ServerCall;
	readonly headers: RawHeaders;
	readonly head: RequestHead;
	/** Milliseconds until the deadline; undefined without one. */
	readonly timeoutMs: number | undefined;
	readonly peer: Peer;
}
