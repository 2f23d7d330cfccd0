/** Requests on a connection of our own, and what comes back. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type {
	ClientConnection,
	RawHeaders,
	Stream,
	StreamListener,
	StreamPurpose,
	StreamReset,
} from "../../src/wire/connection.ts";
import { clientConnection } from "../../src/wire/node/client-connection.ts";
import { frame } from "./http2-server.ts";

export const POST: RawHeaders = [
	":method",
	"POST",
	":scheme",
	"http",
	":path",
	"/a.B/C",
	":authority",
	"here.example",
	"te",
	"trailers",
	"content-type",
	"application/grpc",
];

/** A connection, once the server's SETTINGS are there, and what it has told. */
export interface Opened extends Disposable {
	readonly connection: ClientConnection;
	readonly socket: Socket;
	readonly goaways: readonly { code: number; debugData: string }[];
	/** How often there was room again. */
	rooms(): number;
	readonly closed: Promise<Error | undefined>;
	readonly wentAway: Promise<void>;
}

export async function openConnection(address: string): Promise<Opened> {
	const socket = connect(
		Number(address.split(":")[1]),
		address.split(":")[0] as string,
	);
	await once(socket, "connect");
	const goaways: { code: number; debugData: string }[] = [];
	let rooms = 0;
	const ready = Promise.withResolvers<void>();
	const closed = Promise.withResolvers<Error | undefined>();
	const wentAway = Promise.withResolvers<void>();
	const connection = clientConnection(socket, {
		ready: ready.resolve,
		room: () => {
			rooms += 1;
		},
		goaway: (goaway) => {
			goaways.push(goaway);
			wentAway.resolve();
		},
		closed: closed.resolve,
	});
	await ready.promise;
	return {
		connection,
		socket,
		goaways,
		rooms: () => rooms,
		closed: closed.promise,
		wentAway: wentAway.promise,
		[Symbol.dispose]: () => connection.destroy(),
	};
}

export interface Outcome {
	headers: RawHeaders | undefined;
	readonly body: Buffer;
	readonly bodyBytes: number;
	trailers: RawHeaders | undefined;
	reset: StreamReset | undefined;
}

export interface Exchange {
	readonly stream: Stream;
	/** Settles with the first of `end` and `reset`. */
	readonly outcome: Promise<Outcome>;
	/** What has come so far. */
	readonly sofar: Outcome;
	/** Resolves with the next `writable`. */
	writable(): Promise<void>;
	/** Resolves with the next data. */
	data(): Promise<void>;
}

export function exchange(
	connection: ClientConnection,
	headers: RawHeaders = POST,
	purpose?: StreamPurpose,
): Exchange {
	const chunks: Uint8Array[] = [];
	let bodyBytes = 0;
	const sofar: Outcome = {
		headers: undefined,
		get body() {
			return Buffer.concat(chunks);
		},
		get bodyBytes() {
			return bodyBytes;
		},
		trailers: undefined,
		reset: undefined,
	};
	const outcome = Promise.withResolvers<Outcome>();
	let writable = Promise.withResolvers<void>();
	let data = Promise.withResolvers<void>();
	const hear: StreamListener = {
		headers: (headers) => {
			sofar.headers = headers;
		},
		data: (chunk) => {
			chunks.push(chunk);
			bodyBytes += chunk.length;
			data.resolve();
			data = Promise.withResolvers();
		},
		end: (trailers) => {
			if (sofar.trailers ?? sofar.reset) throw new Error("ended twice");
			sofar.trailers = trailers;
			outcome.resolve(sofar);
		},
		reset: (reset) => {
			if (sofar.trailers ?? sofar.reset) throw new Error("ended twice");
			sofar.reset = reset;
			outcome.resolve(sofar);
		},
		writable: () => {
			writable.resolve();
			writable = Promise.withResolvers();
		},
	};
	const stream = connection.open(headers, hear, purpose);
	return {
		stream,
		outcome: outcome.promise,
		sofar,
		writable: () => writable.promise,
		data: () => data.promise,
	};
}

/** A unary exchange. */
export function call(
	connection: ClientConnection,
	body = frame(),
): Promise<Outcome> {
	const { stream, outcome } = exchange(connection);
	stream.end(body);
	return outcome;
}
