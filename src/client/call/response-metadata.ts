import { ConnectError } from "@connectrpc/connect";
import { guarded } from "../../policy/guarded.ts";
import type { CallEnd } from "../../wire/connection.ts";
import type { RawHeaders } from "../../wire/headers.ts";
import { toHeaders } from "../../wire/metadata.ts";

/** The callbacks for headers and trailers in the options of a call. */
export interface MetadataListener {
	/** Called when response headers arrive; with none for a Trailers-Only response. Not called if the server has not answered. */
	onHeader?: ((header: Headers) => void) | undefined;
	/** Called at the end of every call, successful or not; with none if the server sent none. */
	onTrailer?: ((trailer: Headers) => void) | undefined;
}

/** The metadata that a call has received. */
interface Received {
	/** Undefined if the server has not answered. */
	readonly headers: RawHeaders | undefined;
	readonly trailers: RawHeaders;
}

/** What failed calls had received, by their errors: a Connect Transport rejects with the error alone. */
const receivedWith = new WeakMap<object, Received>();

/**
 * Remembers what a failed call had received.
 *
 * @param headers the headers that were reported before its end
 */
export function noteReceived(
	error: unknown,
	end: CallEnd,
	headers: RawHeaders | undefined,
): void {
	if (error instanceof ConnectError) {
		receivedWith.set(error, receivedBy(end, headers));
	}
}

/** Calls `onHeader` and `onTrailer` for a successful unary call. */
export function tellMetadata(listener: MetadataListener, end: CallEnd): void {
	tell(listener, receivedBy(end, undefined));
}

/** Calls `onHeader` and `onTrailer` for a failed call over any transport. */
export function tellFailure(listener: MetadataListener, error: unknown): void {
	const { onTrailer } = listener;
	const received = receivedWith.get(error as object);
	if (received !== undefined) {
		tell(listener, received);
	} else if (onTrailer !== undefined) {
		// A transport that is not homing's puts headers and trailers together.
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
