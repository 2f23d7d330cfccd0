/** Connections without a network, for tests to play the peer of. */

import type {
	Connect,
	ConnectListener,
} from "../../src/client/endpoint/connect.ts";
import {
	type Address,
	formatAddress,
} from "../../src/discovery/targets/address.ts";
import type {
	ClientConnection,
	RawHeaders,
	Stream,
	StreamListener,
	StreamPurpose,
} from "../../src/wire/connection.ts";

/** One stream, seen from the peer. */
export class FakeStream implements Stream {
	readonly headers: RawHeaders;
	readonly listener: StreamListener;
	readonly purpose: StreamPurpose;
	readonly written: Uint8Array[] = [];
	resetCode: number | undefined;
	readonly #onClose: (stream: FakeStream) => void;

	constructor(
		headers: RawHeaders,
		listener: StreamListener,
		purpose: StreamPurpose,
		onClose: (stream: FakeStream) => void,
	) {
		this.headers = headers;
		this.listener = listener;
		this.purpose = purpose;
		this.#onClose = onClose;
	}

	/** The peer's headers, and the messages given. */
	answer(...messages: readonly Uint8Array[]): void {
		this.listener.headers(
			[":status", "200", "content-type", "application/grpc"],
			false,
		);
		for (const message of messages) this.listener.data(message);
	}

	/** The peer's trailers. */
	finish(status = 0, message = ""): void {
		this.#onClose(this);
		this.listener.end(["grpc-status", String(status), "grpc-message", message]);
	}

	write(chunk: Uint8Array): boolean {
		this.written.push(chunk);
		return true;
	}

	end(last?: Uint8Array): void {
		if (last !== undefined) this.written.push(last);
	}

	reset(code: number): void {
		this.resetCode = code;
		this.#onClose(this);
	}

	pause(): void {}

	resume(): void {}
}

export class FakeConnection implements ClientConnection {
	maxHeaderBytes = Number.POSITIVE_INFINITY;
	readonly address: string;
	readonly listener: ConnectListener;
	/** Those that are open. */
	readonly streams: Set<FakeStream> = new Set();
	/** PINGs that wait for an answer. */
	readonly pings: (() => void)[] = [];
	/** As node:http2 does once the peer has said GOAWAY. */
	sendsNoPings = false;
	maxStreams: number = Number.POSITIVE_INFINITY;
	heard = 0;
	responses = 0;
	#awaitsResponse: () => void = () => {};
	/** Closed gently, though calls may be left. */
	isClosing = false;
	isGone = false;
	lossOf: Error | undefined;

	constructor(address: string, listener: ConnectListener) {
		this.address = address;
		this.listener = listener;
	}

	get openCalls(): number {
		return this.#calls.length;
	}

	get hasRoom(): boolean {
		return this.streams.size < this.maxStreams;
	}

	/** The newest stream. */
	get last(): FakeStream {
		const last = [...this.streams].at(-1);
		if (last === undefined) throw new Error("no stream is open");
		return last;
	}

	open(
		headers: RawHeaders,
		listener: StreamListener,
		purpose: StreamPurpose = "call",
	): FakeStream {
		const stream = new FakeStream(headers, listener, purpose, (closed) =>
			this.#closed(closed),
		);
		this.streams.add(stream);
		return stream;
	}

	/** A call that nobody waits for. */
	openCall(): FakeStream {
		const nobody = (): void => {};
		return this.open([], {
			headers: nobody,
			data: nobody,
			end: nobody,
			reset: nobody,
			writable: nobody,
		});
	}

	ping(answered: () => void): boolean {
		if (this.sendsNoPings) return false;
		this.pings.push(answered);
		return true;
	}

	/** Answers all PINGs. */
	pong(): void {
		this.heard += 1;
		for (const answered of this.pings.splice(0)) answered();
	}

	awaitResponse(heard: () => void): void {
		this.#awaitsResponse = heard;
	}

	/** A part of a response comes. */
	respond(): void {
		this.heard += 1;
		this.responses += 1;
		const heard = this.#awaitsResponse;
		this.#awaitsResponse = () => {};
		heard();
	}

	close(): void {
		this.isClosing = true;
		if (this.openCalls === 0) this.#end(undefined);
	}

	destroy(error?: Error): void {
		this.#end(error);
	}

	goaway(code = 0, debugData = ""): void {
		this.listener.goaway({ code, debugData });
	}

	get #calls(): FakeStream[] {
		return [...this.streams].filter(({ purpose }) => purpose === "call");
	}

	#closed(stream: FakeStream): void {
		const hadRoom = this.hasRoom;
		this.streams.delete(stream);
		if (!hadRoom && this.hasRoom) this.listener.room();
		if (this.isClosing && this.openCalls === 0) this.#end(undefined);
	}

	#end(error: Error | undefined): void {
		if (this.isGone) return;
		this.isGone = true;
		this.lossOf = error;
		queueMicrotask(() => {
			for (const { listener } of this.streams) {
				listener.reset({ code: 8, progress: "processed", cause: error });
			}
			this.streams.clear();
			this.listener.closed(error);
		});
	}
}

/** Connects to whatever address, until told otherwise. */
export class FakeNetwork {
	/** Every connection ever made, in order. */
	readonly connections: FakeConnection[] = [];
	/** Of every connection to come. */
	maxStreams: number = Number.POSITIVE_INFINITY;
	/** Addresses asked for, in order. */
	readonly asked: string[] = [];
	/** What becomes of the next attempts. */
	mood: "connects" | "refuses" | "hangs" = "connects";

	readonly connect: Connect = async (address: Address, listener, signal) => {
		const at = formatAddress(address);
		this.asked.push(at);
		if (this.mood === "refuses") throw new Error(`${at} refuses`);
		if (this.mood === "hangs") {
			await new Promise((_, reject) => {
				signal.addEventListener("abort", () => reject(signal.reason));
			});
		}
		listener.accepted();
		const connection = new FakeConnection(at, listener);
		connection.maxStreams = this.maxStreams;
		this.connections.push(connection);
		return connection;
	};

	/** The connection made as number `index`. */
	at(index: number): FakeConnection {
		const connection = this.connections.at(index);
		if (connection === undefined) throw new Error(`no connection ${index}`);
		return connection;
	}
}
