/** A client that sends given HTTP/2 frames (RFC 9113), and records the frames that it receives. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
	flag,
	frameType,
	headerBlock,
	RawConnection,
	uint32,
} from "../peers/node/misbehaving/raw-http2.ts";

export interface Frame {
	readonly type: number;
	readonly flags: number;
	readonly streamId: number;
	readonly payload: Buffer;
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export class FrameClient extends RawConnection implements Disposable {
	readonly frames: Frame[] = [];
	/** Whether it acknowledges the server's SETTINGS, as it must. */
	acknowledges = true;
	#bytes: Buffer = Buffer.alloc(0);
	#heard: (() => void)[] = [];

	/** Sends the preface and SETTINGS. */
	static async connect(address: string): Promise<FrameClient> {
		const [host = "", port] = address.split(":");
		const socket = connect(Number(port), host);
		await once(socket, "connect");
		const client = new FrameClient(socket);
		socket.write(PREFACE);
		client.frame(frameType.settings, 0, 0);
		return client;
	}

	constructor(socket: Socket) {
		super(socket);
		socket.setNoDelay(true);
		socket.on("error", () => {});
		socket.on("data", (chunk) => this.#read(chunk));
		socket.on("close", () => this.#tell());
	}

	/** Sends the headers of a gRPC request. */
	request(
		streamId: number,
		path: string,
		headers: readonly (readonly [string, string])[] = [],
	): void {
		const fields = [
			[":method", "POST"],
			[":scheme", "http"],
			[":path", path],
			[":authority", "server.test"],
			["content-type", "application/grpc"],
			["te", "trailers"],
			...headers,
		] as const;
		this.frame(
			frameType.headers,
			flag.endHeaders,
			streamId,
			headerBlock(fields),
		);
	}

	reset(streamId: number, code: number): void {
		this.frame(frameType.reset, 0, streamId, uint32(code));
	}

	/** Resolves with the first frame that fulfils the condition, or undefined if the connection ends before. */
	async received(holds: (frame: Frame) => boolean): Promise<Frame | undefined> {
		for (;;) {
			const found = this.frames.find(holds);
			if (found !== undefined || this.socket.closed) return found;
			await new Promise<void>((resolve) => this.#heard.push(resolve));
		}
	}

	[Symbol.dispose](): void {
		this.socket.destroy();
	}

	#read(chunk: Buffer): void {
		this.#bytes = Buffer.concat([this.#bytes, chunk]);
		for (;;) {
			const length = this.#bytes.length < 9 ? 0 : this.#bytes.readUIntBE(0, 3);
			if (this.#bytes.length < 9 + length) break;
			const frame = {
				type: this.#bytes.readUInt8(3),
				flags: this.#bytes.readUInt8(4),
				streamId: this.#bytes.readUInt32BE(5),
				payload: this.#bytes.subarray(9, 9 + length),
			};
			this.#bytes = this.#bytes.subarray(9 + length);
			this.frames.push(frame);
			const asks =
				frame.type === frameType.settings && (frame.flags & flag.ack) === 0;
			if (asks && this.acknowledges) {
				this.frame(frameType.settings, flag.ack, 0);
			}
		}
		this.#tell();
	}

	#tell(): void {
		for (const heard of this.#heard.splice(0)) heard();
	}
}
