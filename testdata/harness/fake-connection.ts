/** Connections without a network, for tests to play the peer of. */

import type {
	Connect,
	ConnectListener,
} from "../../src/client/endpoint/connect.ts";
import {
	type Address,
	formatAddress,
} from "../../src/discovery/targets/address.ts";
import {
	endOfLoss,
	endOfReset,
	endOfResponse,
} from "../../src/wire/call-end.ts";
import type {
	CallListener,
	CallPurpose,
	CallStart,
	ClientCall,
	ClientConnection,
} from "../../src/wire/connection.ts";
import type { RawHeaders } from "../../src/wire/headers.ts";
import { Http2Code } from "../../src/wire/http2-code.ts";
import { startOf } from "./call-start.ts";

const RESPONSE: RawHeaders = [
	...[":status", "200"],
	...["content-type", "application/grpc"],
];

/** One call, seen from the peer. */
export class FakeCall implements ClientCall {
	readonly started: CallStart;
	readonly listener: CallListener;
	/** The messages of the request, without their prefixes. */
	readonly sent: Uint8Array[] = [];
	isCancelled = false;
	#response: RawHeaders = [];
	readonly #onClose: (call: FakeCall) => void;

	constructor(
		start: CallStart,
		listener: CallListener,
		onClose: (call: FakeCall) => void,
	) {
		this.started = start;
		this.listener = listener;
		this.#onClose = onClose;
		if (start.request !== undefined) this.sent.push(start.request);
	}

	get purpose(): CallPurpose {
		return this.started.purpose;
	}

	/** Those of the request. */
	get headers(): RawHeaders {
		const { head, metadata } = this.started;
		return [...head.headers, ...metadata];
	}

	/** The peer's headers, and the messages given. */
	answer(...messages: readonly Uint8Array[]): void {
		if (this.isCancelled) return;
		this.#response = RESPONSE;
		this.listener.headers(RESPONSE);
		for (const message of messages) this.listener.message(message);
	}

	/** The peer's trailers. */
	finish(status = 0, message = ""): void {
		if (this.isCancelled) return;
		this.#onClose(this);
		const trailers = ["grpc-status", String(status), "grpc-message", message];
		this.listener.end(endOfResponse(this.#response, trailers));
	}

	/** The connection is lost, or, without a cause, the peer resets the stream with CANCEL. */
	lose(cause: Error | undefined): void {
		if (this.isCancelled) return;
		this.listener.end(
			cause === undefined
				? endOfReset(Http2Code.CANCEL, "processed", this.#response)
				: endOfLoss(cause, "processed", this.#response),
		);
	}

	send(message: Uint8Array): boolean {
		this.sent.push(message);
		return true;
	}

	end(): void {}

	cancel(): void {
		this.isCancelled = true;
		this.#onClose(this);
	}

	hold(): void {}

	release(): void {}
}

export class FakeConnection implements ClientConnection {
	maxHeaderBytes = Number.POSITIVE_INFINITY;
	readonly address: string;
	readonly listener: ConnectListener;
	/** Those that are open. */
	readonly streams: Set<FakeCall> = new Set();
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
	get last(): FakeCall {
		const last = [...this.streams].at(-1);
		if (last === undefined) throw new Error("no stream is open");
		return last;
	}

	start(start: CallStart, listener: CallListener): FakeCall {
		const call = new FakeCall(start, listener, (closed) =>
			this.#closed(closed),
		);
		this.streams.add(call);
		return call;
	}

	/** A call that nobody waits for. */
	openCall(): FakeCall {
		const nobody = (): void => {};
		return this.start(startOf(), {
			headers: nobody,
			message: nobody,
			end: nobody,
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

	get #calls(): FakeCall[] {
		return [...this.streams].filter(({ purpose }) => purpose === "call");
	}

	#closed(call: FakeCall): void {
		const hadRoom = this.hasRoom;
		this.streams.delete(call);
		if (!hadRoom && this.hasRoom) this.listener.room();
		if (this.isClosing && this.openCalls === 0) this.#end(undefined);
	}

	#end(error: Error | undefined): void {
		if (this.isGone) return;
		this.isGone = true;
		this.lossOf = error;
		queueMicrotask(() => {
			for (const call of this.streams) call.lose(error);
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
