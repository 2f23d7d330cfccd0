/** A TCP relay that records the HTTP/2 frames that clients send (RFC 9113 section 4.1). */

import { once } from "node:events";
import net from "node:net";

const PREFACE_BYTES = 24;
const HEADER_BYTES = 9;

const types = [
	"DATA",
	"HEADERS",
	"PRIORITY",
	"RST_STREAM",
	"SETTINGS",
	"PUSH_PROMISE",
	"PING",
	"GOAWAY",
	"WINDOW_UPDATE",
	"CONTINUATION",
] as const;

export interface Frame {
	readonly type: (typeof types)[number] | "unknown";
	readonly streamId: number;
	readonly flags: number;
	readonly payload: Buffer;
	/** Whether a DATA or HEADERS frame has the flag END_STREAM. */
	readonly endStream: boolean;
}

export interface FrameTap extends AsyncDisposable {
	/** Its address: "127.0.0.1:port". */
	readonly address: string;
	/** The frames that clients have sent, in order. */
	readonly frames: readonly Frame[];
	/** Resolves with the first past or future frame that matches. */
	until(wanted: (frame: Frame) => boolean): Promise<Frame>;
	/** Drops everything in both directions from now on, and keeps the connections open. */
	freeze(): void;
	/** Closes the connections. */
	cut(): void;
}

export async function tapFrames(port: number): Promise<FrameTap> {
	const frames: Frame[] = [];
	const sockets = new Set<net.Socket>();
	let news = Promise.withResolvers<void>();
	const relay = net.createServer({ noDelay: true }, (client) => {
		const server = net.connect({ port, host: "127.0.0.1", noDelay: true });
		const read = frameReader((frame) => {
			frames.push(frame);
			news.resolve();
			news = Promise.withResolvers();
		});
		client.on("data", read);
		for (const [from, to] of [
			[client, server],
			[server, client],
		] as const) {
			sockets.add(from);
			from.pipe(to);
			from.on("error", () => to.destroy());
			from.on("close", () => {
				sockets.delete(from);
				to.destroy();
			});
		}
	});
	relay.listen(0, "127.0.0.1");
	await once(relay, "listening");
	const cut = (): void => {
		for (const socket of sockets) socket.destroy();
	};
	return {
		address: `127.0.0.1:${(relay.address() as net.AddressInfo).port}`,
		frames,
		async until(wanted) {
			for (let next = 0; ; ) {
				for (; next < frames.length; next++) {
					const frame = frames[next] as Frame;
					if (wanted(frame)) return frame;
				}
				await news.promise;
			}
		},
		freeze() {
			for (const socket of sockets) {
				socket.unpipe();
				socket.pause();
			}
		},
		cut,
		async [Symbol.asyncDispose]() {
			const closed = once(relay, "close");
			relay.close();
			cut();
			await closed;
		},
	};
}

function frameReader(onFrame: (frame: Frame) => void): (chunk: Buffer) => void {
	let unread: Buffer = Buffer.alloc(0);
	let greeted = false;
	return (chunk) => {
		unread = Buffer.concat([unread, chunk]);
		if (!greeted) {
			if (unread.length < PREFACE_BYTES) return;
			greeted = true;
			unread = unread.subarray(PREFACE_BYTES);
		}
		while (unread.length >= HEADER_BYTES) {
			const end = HEADER_BYTES + unread.readUIntBE(0, 3);
			if (unread.length < end) return;
			const type = types[unread.readUInt8(3)] ?? "unknown";
			const flags = unread.readUInt8(4);
			onFrame({
				type,
				flags,
				streamId: unread.readUInt32BE(5) & 0x7fffffff,
				payload: unread.subarray(HEADER_BYTES, end),
				endStream: (type === "DATA" || type === "HEADERS") && (flags & 1) === 1,
			});
			unread = unread.subarray(end);
		}
	};
}
