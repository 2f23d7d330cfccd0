/**
 * An HTTP/2 server that sends any given frames (RFC 9113), valid or not. It reads
 * only the frame headers of requests.
 */

import net from "node:net";

export const frameType = {
	data: 0x0,
	headers: 0x1,
	reset: 0x3,
	settings: 0x4,
	pushPromise: 0x5,
	ping: 0x6,
	goAway: 0x7,
	windowUpdate: 0x8,
	continuation: 0x9,
} as const;

export const flag = {
	ack: 0x1,
	endStream: 0x1,
	endHeaders: 0x4,
	padded: 0x8,
	priority: 0x20,
} as const;

/** RFC 9113, section 7. */
export const errorCode = {
	NO_ERROR: 0x0,
	PROTOCOL_ERROR: 0x1,
	INTERNAL_ERROR: 0x2,
	FLOW_CONTROL_ERROR: 0x3,
	SETTINGS_TIMEOUT: 0x4,
	STREAM_CLOSED: 0x5,
	FRAME_SIZE_ERROR: 0x6,
	REFUSED_STREAM: 0x7,
	CANCEL: 0x8,
	COMPRESSION_ERROR: 0x9,
	CONNECT_ERROR: 0xa,
	ENHANCE_YOUR_CALM: 0xb,
	INADEQUATE_SECURITY: 0xc,
	HTTP_1_1_REQUIRED: 0xd,
} as const;

export type Field = readonly [name: string, value: string];

export interface RawServerOptions {
	/** The identifier and the value of each setting. */
	readonly settings?: readonly (readonly [number, number])[];
	/** Called when a request is complete, or as soon as its headers have arrived. */
	readonly onRequest?: (stream: RawStream) => void;
	readonly onHeaders?: (stream: RawStream) => void;
	/** Called after the client's preface and the server's SETTINGS. */
	readonly onConnection?: (connection: RawConnection) => void;
}

export interface RawServer {
	/** "127.0.0.1:port" */
	readonly address: string;
	/** How many requests the server has got. */
	readonly requests: number;
	stop(): Promise<void>;
}

export async function startRawServer(
	options: RawServerOptions,
): Promise<RawServer> {
	const sockets = new Set<net.Socket>();
	let requests = 0;
	const server = net.createServer({ noDelay: true }, (socket) => {
		sockets.add(socket);
		socket.on("error", () => undefined);
		socket.on("close", () => sockets.delete(socket));
		listen(new RawConnection(socket), socket, options, () => {
			requests += 1;
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		address: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
		get requests() {
			return requests;
		},
		stop: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				for (const socket of sockets) socket.destroy();
			}),
	};
}

export class RawConnection {
	readonly socket: net.Socket;

	constructor(socket: net.Socket) {
		this.socket = socket;
	}

	frame(
		type: number,
		flags: number,
		streamId: number,
		payload: Uint8Array = new Uint8Array(),
	): void {
		const header = Buffer.alloc(9);
		header.writeUIntBE(payload.length, 0, 3);
		header.writeUInt8(type, 3);
		header.writeUInt8(flags, 4);
		header.writeUInt32BE(streamId, 5);
		if (this.socket.writable) {
			this.socket.write(Buffer.concat([header, payload]));
		}
	}

	goAway(lastStreamId: number, code: number, reason = ""): void {
		const payload = Buffer.concat([uint32(lastStreamId), uint32(code)]);
		this.frame(
			frameType.goAway,
			0,
			0,
			Buffer.concat([payload, Buffer.from(reason)]),
		);
	}

	/** Ends the connection after all written data. */
	end(): void {
		this.socket.end();
	}
}

export class RawStream {
	readonly connection: RawConnection;
	readonly id: number;

	constructor(connection: RawConnection, id: number) {
		this.connection = connection;
		this.id = id;
	}

	headers(fields: readonly Field[], endStream = false): void {
		this.connection.frame(
			frameType.headers,
			flag.endHeaders | (endStream ? flag.endStream : 0),
			this.id,
			headerBlock(fields),
		);
	}

	/** Sends the same in a HEADERS frame and CONTINUATION frames of this many bytes. */
	headersInPieces(
		fields: readonly Field[],
		bytes: number,
		endStream = false,
	): void {
		const block = headerBlock(fields);
		for (let start = 0; start < block.length; start += bytes) {
			const last = start + bytes >= block.length;
			this.connection.frame(
				start === 0 ? frameType.headers : frameType.continuation,
				(last ? flag.endHeaders : 0) |
					(start === 0 && endStream ? flag.endStream : 0),
				this.id,
				block.subarray(start, start + bytes),
			);
		}
	}

	data(bytes: Uint8Array, endStream = false): void {
		const flags = endStream ? flag.endStream : 0;
		this.connection.frame(frameType.data, flags, this.id, bytes);
	}

	reset(code: number): void {
		this.connection.frame(frameType.reset, 0, this.id, uint32(code));
	}
}

/** Encodes headers by HPACK (RFC 7541), without indexing and without Huffman coding. */
export function headerBlock(fields: readonly Field[]): Buffer {
	return Buffer.concat(
		fields.flatMap(([name, value]) => [
			Buffer.of(0),
			...literal(name),
			...literal(value),
		]),
	);
}

function literal(text: string): Buffer[] {
	const bytes = Buffer.from(text, "latin1");
	if (bytes.length < 0x7f) return [Buffer.of(bytes.length), bytes];
	const length = [0x7f];
	let rest = bytes.length - 0x7f;
	for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
	return [Buffer.of(...length, rest), bytes];
}

export function uint32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
}

const prefaceLength = 24;

function listen(
	connection: RawConnection,
	socket: net.Socket,
	{ settings = [], onRequest, onHeaders, onConnection }: RawServerOptions,
	onStream: () => void,
): void {
	let unread = Buffer.alloc(0);
	let greeted = false;
	socket.on("data", (chunk) => {
		unread = Buffer.concat([unread, chunk]);
		if (!greeted) {
			if (unread.length < prefaceLength) return;
			unread = unread.subarray(prefaceLength);
			greeted = true;
			connection.frame(
				frameType.settings,
				0,
				0,
				Buffer.concat(
					settings.flatMap(([id, value]) => [Buffer.of(0, id), uint32(value)]),
				),
			);
			onConnection?.(connection);
		}
		while (unread.length >= 9) {
			const length = unread.readUIntBE(0, 3);
			if (unread.length < 9 + length) return;
			const [type, flags] = [unread.readUInt8(3), unread.readUInt8(4)];
			const id = unread.readUInt32BE(5) & 0x7fffffff;
			const payload = unread.subarray(9, 9 + length);
			unread = unread.subarray(9 + length);
			if (type === frameType.settings && !(flags & flag.ack)) {
				connection.frame(frameType.settings, flag.ack, 0);
			}
			if (type === frameType.ping && !(flags & flag.ack)) {
				connection.frame(frameType.ping, flag.ack, 0, payload);
			}
			const stream = new RawStream(connection, id);
			if (type === frameType.headers) {
				onStream();
				onHeaders?.(stream);
			}
			if (
				(type === frameType.headers || type === frameType.data) &&
				flags & flag.endStream
			) {
				onRequest?.(stream);
			}
		}
	});
}
