/** Streams that both sides end at once, in every way: none may stay open, or its connection never closes. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "vitest";
import {
	type Exchange,
	exchange,
	openConnection,
	POST,
} from "../../../testdata/harness/client-exchange.ts";
import { frame } from "../../../testdata/harness/http2-server.ts";
import {
	errorCode,
	type Field,
	frameType,
	RawConnection,
	RawStream,
	startRawServer,
	uint32,
} from "../../../testdata/peers/node/misbehaving/raw-http2.ts";
import type { ServerCall, ServerCallListener } from "../connection.ts";
import { GzipTurns } from "../gzip/gzip-turns.ts";
import { serverConnection } from "./server-connection.ts";

const HEADERS = [
	[":status", "200"],
	["content-type", "application/grpc"],
] as const;
const STATUS = [["grpc-status", "4"]] as const;

/** More than the window of a stream holds. */
const BLOCK_BYTES = 256 * 1024;

const EMPTY = new Uint8Array();

/** So that no stream waits for another. */
function openWindow(connection: RawConnection): void {
	connection.frame(frameType.windowUpdate, 0, 0, uint32(2 ** 30));
}

type Moment = (act: () => void) => unknown;
const moments: readonly Moment[] = [
	(act) => setTimeout(act, 1),
	setImmediate,
	queueMicrotask,
];

function wholeResponse(stream: RawStream): void {
	stream.headers(HEADERS);
	stream.data(frame());
	stream.headers(STATUS, true);
}

const servers: readonly (readonly [string, (stream: RawStream) => void])[] = [
	["Trailers-Only", (stream) => stream.headers([...HEADERS, ...STATUS], true)],
	["a response", wholeResponse],
	[
		"a response, and a reset for the rest of the request",
		(stream) => {
			wholeResponse(stream);
			stream.reset(errorCode.NO_ERROR);
		},
	],
	[
		"data without trailers",
		(stream) => {
			stream.headers(HEADERS);
			stream.data(frame(), true);
		},
	],
	["RST_STREAM(NO_ERROR)", (stream) => stream.reset(errorCode.NO_ERROR)],
	["RST_STREAM(CANCEL)", (stream) => stream.reset(errorCode.CANCEL)],
	["REFUSED_STREAM", (stream) => stream.reset(errorCode.REFUSED_STREAM)],
];

/** What a client has done with a call so far. */
const requests: readonly ((exchange: Exchange) => void)[] = [
	({ call }) => {
		call.send(EMPTY, false);
		call.end();
	},
	({ call }) => call.send(EMPTY, false),
	({ call }) => call.send(new Uint8Array(BLOCK_BYTES), false),
	({ call }) => {
		call.send(new Uint8Array(BLOCK_BYTES), false);
		call.end();
	},
	({ call }) => {
		call.send(EMPTY, false);
		call.end();
		call.hold();
	},
];

test.each(servers)(
	"%s, while the client resets the stream or does not, leaves no stream behind",
	async (_, answer) => {
		const arrived: RawStream[] = [];
		const server = await startRawServer({
			onConnection: openWindow,
			onHeaders: (stream) => arrived.push(stream),
		});
		using opened = await openConnection(server.address);
		const { connection, closed } = opened;
		for (const moment of moments) {
			for (const resets of [true, false]) {
				for (let i = 0; i < 40; i++) {
					const one = exchange(connection);
					requests[i % requests.length]?.(one);
					// Whatever of the request is left, nobody reads.
					void one.outcome.then(() => one.call.cancel());
					while (arrived.length === 0) await new Promise(setImmediate);
					const stream = arrived.pop() as RawStream;
					moment(() => {
						answer(stream);
						if (resets) one.call.cancel();
						else setImmediate(() => one.call.release());
					});
				}
			}
		}
		await expect.poll(() => connection.openCalls).toBe(0);
		connection.close();
		expect(await closed).toBeUndefined();
		await server.stop();
	},
);

const clients: readonly (readonly [string, (stream: RawStream) => void])[] = [
	["the end of the request", (stream) => stream.data(frame(), true)],
	[
		"the end of the request, and RST_STREAM(CANCEL)",
		(stream) => {
			stream.data(frame(), true);
			stream.reset(errorCode.CANCEL);
		},
	],
	["RST_STREAM(NO_ERROR)", (stream) => stream.reset(errorCode.NO_ERROR)],
	["RST_STREAM(CANCEL)", (stream) => stream.reset(errorCode.CANCEL)],
];

const response = [":status", "200", "content-type", "application/grpc"];

/** What a server does with a call at that moment. */
const endings: readonly ((call: ServerCall) => void)[] = [
	(call) => call.cancel(),
	(call) => {
		call.respond(response);
		call.send(new Uint8Array(BLOCK_BYTES), false);
		call.cancel();
	},
	(call) => {
		call.hold();
		call.cancel();
	},
	(call) => call.finish([...response, "grpc-status", "4"], undefined, false),
	(call) => {
		call.respond(response);
		call.send(EMPTY, false);
		call.finish(["grpc-status", "4"], undefined, false);
	},
	(call) => {
		call.respond(response);
		call.finish(["grpc-status", "4"], EMPTY, false);
	},
	(call) => {
		call.hold();
		call.finish([...response, "grpc-status", "4"], undefined, false);
	},
];

const terms = {
	encoding: undefined,
	maxMessageBytes: 1 << 20,
	inflations: new GzipTurns().inflations,
};

/** Hears nothing. */
const silent: ServerCallListener = {
	message: () => {},
	arrived: () => {},
	messagesEnd: () => {},
	malformed: () => {},
	writable: () => {},
	left: () => {},
	closed: () => {},
};

test.each(clients)(
	"%s, while the server ends the call, leaves no stream behind",
	async (_, end) => {
		const arrived: ServerCall[] = [];
		const closed = Promise.withResolvers<Error | undefined>();
		const opened = Promise.withResolvers<ReturnType<typeof serverConnection>>();
		const server = createServer((socket) => {
			const connection = serverConnection(
				socket,
				{ maxConcurrentStreams: 1000, maxHeaderListSize: 16 * 1024 },
				{
					ready: () => opened.resolve(connection),
					refused: () => {},
					reset: () => {},
					violated: () => {},
					closed: closed.resolve,
					call: (call) => {
						call.listen(terms, silent);
						arrived.push(call);
					},
				},
			);
		}).listen(0, "127.0.0.1");
		await once(server, "listening");
		const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
		await once(socket, "connect");
		socket.resume();
		socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
		const client = new RawConnection(socket);
		client.frame(frameType.settings, 0, 0);
		openWindow(client);
		const headers: Field[] = [];
		for (let i = 0; i < POST.length; i += 2) {
			headers.push([POST[i] as string, POST[i + 1] as string]);
		}
		let id = 1;
		for (const moment of moments) {
			for (let i = 0; i < 60; i++) {
				const stream = new RawStream(client, id);
				id += 2;
				stream.headers(headers);
				while (arrived.length === 0) await new Promise(setImmediate);
				const there = arrived.pop() as ServerCall;
				moment(() => {
					end(stream);
					endings[i % endings.length]?.(there);
				});
			}
		}
		(await opened.promise).close();
		expect(await closed.promise).toBeUndefined();
		socket.destroy();
		server.close();
	},
);
