import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { SettingsAck } from "./settings-ack.ts";

/** The connection preface of a client (RFC 9113 section 3.4). */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** A client that is silent for this long is not about to acknowledge anything. In milliseconds. */
const SILENCE_MS = 1000;

/** Limit for what is read before the acknowledgement: the first flow-control window of a client is no larger. In bytes. */
const MAX_BYTES = 64 * 1024;

/**
 * Sends a server's first SETTINGS before Node gets the socket, so that Node does not know the limits in them. Node counts
 * a stream that has ended as open until the next turn of the event loop, and would end streams that exceed a limit, and
 * even connections, by itself. Node also sends SETTINGS of its own, and expects one acknowledgement. So the
 * acknowledgement of the first SETTINGS is removed from what the client sends.
 *
 * Once it has arrived, the socket itself is handed over, with everything that was read. If a client takes its time, a
 * stream is handed over instead, which removes the acknowledgement later, at some cost.
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

	/** Node deals with the end of the connection. */
	readonly #onEnd = (): void => this.#handOverFiltered();

	readonly #onSilence = (): void => {
		if (this.#bytes > PREFACE.length) this.#handOverFiltered();
		else this.#socket.setTimeout(SILENCE_MS);
	};

	/** Whether the client speaks HTTP/2, as far as can be told from what was read. */
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

/** A stream over a socket that removes an acknowledgement that is yet to come. */
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
