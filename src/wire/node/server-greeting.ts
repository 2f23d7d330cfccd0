import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { SettingsAck } from "./settings-ack.ts";

/** How a client begins (RFC 9113 section 3.4). */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A client that has been silent for so long is not about to acknowledge anything, in milliseconds. */
const SILENCE_MS = 1000;

/** What a client may send before it acknowledges: its first window is no larger. */
const MAX_BYTES = 64 * 1024;

/**
 * A server's first SETTINGS, sent before Node has the socket. So Node knows nothing of the limits in them: it would count
 * a stream that is over as an open one until the next turn of the event loop, and end streams that exceed a limit, and
 * connections, without asking us. Node sends SETTINGS, too, of what it must know, and expects them to be acknowledged
 * once: the acknowledgement of these is taken out of what the client sends.
 *
 * Once that has come, the socket itself is handed over, with all that was read. To a client that is in no hurry to
 * acknowledge, a stream is handed over that takes it out later, at some cost.
 */
export class ServerGreeting {
	readonly #socket: Socket;
	readonly #handOver: (transport: Duplex) => void;
	readonly #ack = new SettingsAck(PREFACE.length);
	/** What was read, without the acknowledgement. */
	#read: Buffer[] = [];
	#bytes = 0;

	/** `settings`: a SETTINGS frame. */
	constructor(
		socket: Socket,
		settings: Uint8Array,
		handOver: (transport: Duplex) => void,
	) {
		this.#socket = socket;
		this.#handOver = handOver;
		socket.write(settings);
		socket.on("data", this.#onData);
		socket.on("end", this.#onEnd);
		socket.setTimeout(SILENCE_MS, this.#onSilence);
	}

	readonly #onData = (chunk: Buffer): void => {
		const read = this.#ack.takeOutOf(chunk);
		this.#read.push(read);
		this.#bytes += read.length;
		if (this.#ack.found || !this.#speaksHttp2) this.#handOverSocket();
		else if (this.#bytes > MAX_BYTES) this.#handOverFiltered();
	};

	/** Node knows what to do with it. */
	readonly #onEnd = (): void => this.#handOverFiltered();

	readonly #onSilence = (): void => {
		if (this.#bytes > PREFACE.length) this.#handOverFiltered();
		else this.#socket.setTimeout(SILENCE_MS);
	};

	/** As far as can be told. */
	get #speaksHttp2(): boolean {
		const start = Buffer.concat(this.#read.slice(0, PREFACE.length));
		const compared = Math.min(start.length, PREFACE.length);
		return start.compare(PREFACE, 0, compared, 0, compared) === 0;
	}

	#handOverSocket(): void {
		this.#leave();
		this.#socket.pause();
		if (this.#bytes > 0) this.#socket.unshift(Buffer.concat(this.#read));
		this.#handOver(this.#socket);
	}

	#handOverFiltered(): void {
		this.#leave();
		const filtered = withoutAck(this.#socket, this.#ack);
		for (const read of this.#read) filtered.push(read);
		if (this.#socket.readableEnded) filtered.push(null);
		this.#handOver(filtered);
	}

	#leave(): void {
		const socket = this.#socket;
		socket.off("data", this.#onData);
		socket.off("end", this.#onEnd);
		socket.setTimeout(0, this.#onSilence);
	}
}

/** A socket, but for an acknowledgement that is yet to come. */
function withoutAck(socket: Socket, ack: SettingsAck): Duplex {
	const filtered = new Duplex({
		read: () => socket.resume(),
		write: (chunk, _, done) => socket.write(chunk, done),
		final: (done) => socket.end(done),
		destroy(error, done) {
			socket.destroy();
			done(error);
		},
	});
	socket.on("data", (chunk: Buffer) => {
		const read = ack.takeOutOf(chunk);
		if (read.length > 0 && !filtered.push(read)) socket.pause();
	});
	socket.on("end", () => filtered.push(null));
	socket.on("close", () => filtered.destroy());
	return filtered;
}
