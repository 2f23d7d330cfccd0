import { ConnectError } from "@connectrpc/connect";
import { guarded } from "../../policy/guarded.ts";
import type { CallEnd } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { toHeaders } from "../../wire/metadata.ts";

/** Hears of headers and trailers without asking. */
export interface MetadataListener {
	/** Once the server has answered; of a Trailers-Only response, empty. */
	onHeader?: ((header: Headers) => void) | undefined;
	/** At the end of every call, well or not; empty where the server sent none. */
	onTrailer?: ((trailer: Headers) => void) | undefined;
}

/** What a server sent of metadata. */
interface Received {
	/** Undefined: it has not answered. */
	readonly headers: RawHeaders | undefined;
	readonly trailers: RawHeaders;
}

/** Connect's transports reject with an error, and nothing beside it. */
const receivedWith = new WeakMap<object, Received>();

/** Remembers what a call that failed had received. `headers`: those that were told before its end. */
export function noteReceived(
	error: unknown,
	end: CallEnd,
	headers: RawHeaders | undefined,
): void {
	if (error instanceof ConnectError) {
		receivedWith.set(error, receivedBy(end, headers));
	}
}

/** Tells what came with the end of a unary call. */
export function tellMetadata(listener: MetadataListener, end: CallEnd): void {
	tell(listener, receivedBy(end, undefined));
}

/** The same of one that has failed, over whatever transport. */
export function tellFailure(listener: MetadataListener, error: unknown): void {
	const { onTrailer } = listener;
	const received = receivedWith.get(error as object);
	if (received !== undefined) {
		tell(listener, received);
	} else if (onTrailer !== undefined) {
		// A transport of another's making puts headers and trailers together.
		const metadata = error instanceof ConnectError ? error.metadata : undefined;
		guarded(onTrailer, "onTrailer")(new Headers(metadata));
	}
}

function receivedBy(
	{ code, local, headers, trailers }: CallEnd,
	before: RawHeaders | undefined,
): Received {
	if (headers.length > 0) return { headers, trailers };
	const isAnswered = !local || code === 0;
	return { headers: before ?? (isAnswered ? headers : undefined), trailers };
}

function tell(
	{ onHeader, onTrailer }: MetadataListener,
	{ headers, trailers }: Received,
): void {
	if (onHeader !== undefined && headers !== undefined) {
		guarded(onHeader, "onHeader")(toHeaders(headers));
	}
	if (onTrailer !== undefined) {
		guarded(onTrailer, "onTrailer")(toHeaders(trailers));
	}
}
