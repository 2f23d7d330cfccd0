import type { DescMethod } from "@bufbuild/protobuf";
import type { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../policy/clock.ts";
import type { Deadlines } from "../../policy/deadlines.ts";
import type { RequestTerms } from "../../wire/connection.ts";
import type { Arrival } from "./arrival.ts";
import type { Placed } from "./open-calls.ts";
import type { UnreadBytes } from "./unread-bytes.ts";

/** A call that has not ended, as its server sees it. */
export interface OpenCall extends Placed {
	readonly arrival: Arrival;
	/** Bytes of its requests, whole or not, that have come and that its handler has not read. */
	readonly unreadBytes: number;
	/** When something came for it last, as `UnreadBytes` numbers it: higher is later. */
	readonly lastArrival: number;
	/** Answers with `error` at once, whatever the handler does. */
	cancel(error: ConnectError): void;
}

/** What a call needs of its server. */
export interface CallHost {
	readonly clock: Clock;
	readonly deadlines: Deadlines;
	readonly unread: UnreadBytes;
	/** Limit for one response message, before compression, in bytes. */
	readonly writeMaxBytes: number;
	/** Says how messages with this `grpc-encoding` are read. */
	requestTerms(encoding: string | undefined): RequestTerms;
	started(call: OpenCall): void;
	/** `code` is undefined for a call that ended well. */
	ended(call: OpenCall, code: Code | undefined): void;
	/** Tells `onError` what the client must not hear. */
	report(error: unknown, method: DescMethod): void;
}
