import { Code } from "@connectrpc/connect";
import type { ConnectListener } from "../src/client/endpoint/connect.ts";
import { endOfLoss, endOfReset, endOfResponse } from "../src/wire/call-end.ts";
import type {
	CallListener,
	CallStart,
	ClientCall,
	ClientConnection,
	RequestProgress,
} from "../src/wire/connection.ts";
import { NO_HEADERS, type RawHeaders } from "../src/wire/headers.ts";
import { Http2Code } from "../src/wire/http2-code.ts";
import type { ReceivedRequest, SimulatedServer } from "./server.ts";
import type { VirtualTime } from "./virtual-time.ts";

const RESPONSE: RawHeaders = [
	...[":status", "200"],
	...["content-type", "application/grpc"],
];
const OK: RawHeaders = ["grpc-status", "0"];
const MESSAGE = new Uint8Array(0);

const UNAVAILABLE: RawHeaders = [
	...RESPONSE,
	...["grpc-status", String(Code.Unavailable)],
	...["grpc-message", "this server cannot take it now"],
];

/** Counts requests and connections. */
export interface ConnectionWatcher {
	sent(): void;
	gone(): void;
}

/** A connection to a simulated server. What its streams do are events in virtual time. */
export class SimulatedConnection implements ClientConnection {
	readonly maxHeaderBytes = Number.POSITIVE_INFINITY;
	readonly hasRoom = true;
	readonly server: SimulatedServer;
	readonly time: VirtualTime;
	readonly delayMs: () => number;
	/** The server has lost its memory. It answers what is sent to it with a reset of the connection. */
	forgotten = false;
	/** The server accepts no more streams. */
	draining = false;
	readonly #listener: ConnectListener;
	readonly #watcher: ConnectionWatcher;
	readonly #streams = new Set<SimulatedStream>();
	#heard = 0;
	#awaitsResponse: () => void = () => {};
	#state: "open" | "goaway" | "closing" | "gone" = "open";

	constructor(
		server: SimulatedServer,
		listener: ConnectListener,
		time: VirtualTime,
		delayMs: () => number,
		watcher: ConnectionWatcher,
	) {
		this.server = server;
		this.time = time;
		this.delayMs = delayMs;
		this.#listener = listener;
		this.#watcher = watcher;
	}

	get openCalls(): number {
		return this.#streams.size;
	}

	get heard(): number {
		return this.#heard;
	}

	/** Counts everything received, which is close enough: PINGs are answered only when they are needed. */
	get responses(): number {
		return this.#heard;
	}

	/** Starts a call. Watches are not simulated. */
	start({ request }: CallStart, listener: CallListener): ClientCall {
		const stream = new SimulatedStream(this, listener);
		if (this.#state === "open") {
			this.#streams.add(stream);
			this.#watcher.sent();
		} else {
			this.time.after(0, () => stream.lost("miscarried"));
		}
		if (request !== undefined) stream.end();
		return stream;
	}

	ping(answered: () => void): boolean {
		this.#there(() => this.#back(answered));
		return true;
	}

	awaitResponse(heard: () => void): void {
		this.#awaitsResponse = heard;
	}

	close(): void {
		if (this.#state === "gone") return;
		this.#state = "closing";
		if (this.#streams.size === 0) this.#gone(undefined);
	}

	destroy(error?: Error): void {
		this.#gone(error);
	}

	// The server's side:

	/** Sends GOAWAY (RFC 9113 section 6.8). */
	goaway(): void {
		this.draining = true;
		this.#back(() => {
			if (this.#state === "open") this.#state = "goaway";
			this.time.settle();
			this.#listener.goaway({ code: Http2Code.NO_ERROR, debugData: "" });
			if (this.#streams.size === 0) this.#gone(undefined);
		});
	}

	/** Resets the connection. The client notices it after the delay of the network. */
	breakOff(): void {
		this.time.after(this.delayMs(), () =>
			this.#gone(new Error(`read ECONNRESET ${this.server.address}`)),
		);
	}

	// For the streams of this connection:

	/** Delivers something to the server, which may be gone. */
	#there(arrived: () => void): void {
		this.time.after(this.delayMs(), () => {
			if (this.server.state === "silent" || this.#state === "gone") return;
			if (this.forgotten) this.breakOff();
			else arrived();
		});
	}

	/** Delivers something to the client. */
	#back(arrived: () => void): void {
		if (this.server.state === "silent" || this.forgotten) return;
		this.time.after(this.delayMs(), () => {
			if (this.#state === "gone") return;
			this.#heard += 1;
			const heard = this.#awaitsResponse;
			this.#awaitsResponse = () => {};
			heard();
			arrived();
		});
	}

	request(stream: SimulatedStream): void {
		this.#there(() => {
			if (this.draining) this.#back(() => stream.lost("refused"));
			else if (!stream.cancelled) this.server.receive(stream);
		});
	}

	cancel(stream: SimulatedStream): void {
		this.#there(() => {
			stream.cancelled = true;
		});
	}

	respond(stream: SimulatedStream, code: Code | undefined): void {
		this.#back(() => stream.answered(code));
	}

	over(stream: SimulatedStream): void {
		if (!this.#streams.delete(stream) || this.#streams.size > 0) return;
		if (this.#state === "closing" || this.#state === "goaway") {
			this.#gone(undefined);
		}
	}

	#gone(error: Error | undefined): void {
		if (this.#state === "gone") return;
		this.#state = "gone";
		this.time.settle();
		this.#watcher.gone();
		const streams = [...this.#streams];
		this.#streams.clear();
		for (const stream of streams) stream.lost("processed", error);
		this.#listener.closed(error);
	}
}

/** A unary call. */
class SimulatedStream implements ClientCall, ReceivedRequest {
	/** The server knows that the client has cancelled the call. */
	cancelled = false;
	readonly #connection: SimulatedConnection;
	readonly #listener: CallListener;
	#over = false;

	constructor(connection: SimulatedConnection, listener: CallListener) {
		this.#connection = connection;
		this.#listener = listener;
	}

	send(): boolean {
		return true;
	}

	/** Sends the complete request. */
	end(): void {
		if (!this.#over) this.#connection.request(this);
	}

	cancel(): void {
		if (this.#over) return;
		this.#over = true;
		this.#connection.cancel(this);
		this.#connection.over(this);
	}

	hold(): void {}

	release(): void {}

	// For the server:

	answer(code: Code | undefined): void {
		this.#connection.respond(this, code);
	}

	// For the client's side:

	answered(code: Code | undefined): void {
		if (this.#over) return;
		this.#over = true;
		if (code === undefined) {
			this.#listener.headers(RESPONSE);
			this.#listener.message(MESSAGE);
			this.#listener.end(endOfResponse(RESPONSE, OK));
		} else {
			this.#listener.end(endOfResponse(NO_HEADERS, UNAVAILABLE));
		}
		this.#connection.over(this);
	}

	lost(progress: RequestProgress, cause?: Error): void {
		if (this.#over) return;
		this.#over = true;
		const code =
			progress === "processed" ? Http2Code.CANCEL : Http2Code.REFUSED_STREAM;
		this.#listener.end(
			cause === undefined
				? endOfReset(code, progress, NO_HEADERS)
				: endOfLoss(cause, progress, NO_HEADERS),
		);
		this.#connection.over(this);
	}
}
