/** Makes calls over homing's client connection, and records what is received. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type {
	CallEnd,
	CallStart,
	ClientCall,
	ClientConnection,
} from "../../src/wire/connection.ts";
import type { RawHeaders } from "../../src/wire/headers.ts";
import { clientConnection } from "../../src/wire/node/client-connection.ts";
import { startOf } from "./call-start.ts";

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

/** A connection that has received the server's SETTINGS, and a record of its events. */
export interface Opened extends Disposable {
	readonly connection: ClientConnection;
	readonly socket: Socket;
	readonly goaways: readonly { code: number; debugData: string }[];
	/** How often the connection has reported room. */
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
	/** The response messages, concatenated. */
	readonly body: Buffer;
	readonly bodyBytes: number;
	end: CallEnd | undefined;
	/** The trailers. */
	readonly trailers: RawHeaders | undefined;
}

export interface Exchange {
	readonly call: ClientCall;
	/** Resolves with the end of the call. */
	readonly outcome: Promise<Outcome>;
	/** What has been received so far. */
	readonly sofar: Outcome;
	/** Resolves with the next `writable`. */
	writable(): Promise<void>;
	/** Resolves with the next message. */
	message(): Promise<void>;
}

/** Starts a call. */
export function exchange(
	connection: ClientConnection,
	change?: Partial<CallStart>,
): Exchange {
	const messages: Uint8Array[] = [];
	let bodyBytes = 0;
	const sofar: Outcome = {
		headers: undefined,
		get body() {
			return Buffer.concat(messages);
		},
		get bodyBytes() {
			return bodyBytes;
		},
		end: undefined,
		get trailers() {
			return this.end?.trailers;
		},
	};
	const outcome = Promise.withResolvers<Outcome>();
	let writable = Promise.withResolvers<void>();
	let next = Promise.withResolvers<void>();
	const call = connection.start(startOf(change), {
		headers: (headers) => {
			sofar.headers = headers;
		},
		message: (message) => {
			messages.push(message);
			bodyBytes += message.length;
			next.resolve();
			next = Promise.withResolvers();
		},
		end: (end) => {
			if (sofar.end !== undefined) throw new Error("ended twice");
			sofar.end = end;
			outcome.resolve(sofar);
		},
		writable: () => {
			writable.resolve();
			writable = Promise.withResolvers();
		},
	});
	return {
		call,
		outcome: outcome.promise,
		sofar,
		writable: () => writable.promise,
		message: () => next.promise,
	};
}

/** Makes a unary call. */
export function call(
	connection: ClientConnection,
	request = new Uint8Array(0),
): Promise<Outcome> {
	return exchange(connection, { request }).outcome;
}
