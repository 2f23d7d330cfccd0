/** How many messages of a stream arrive in one turn of the event loop. */
const MESSAGES_A_TURN = 100;

const HEADERS = [":status", "200", "content-type", "application/grpc"];
const TRAILERS = ["grpc-status", "0"];

/** The listener of checkouts whose wire carried bytes. */
interface ByteListener {
	headers(headers: readonly string[], isLast: boolean): void;
	data(chunk: Uint8Array): void;
	end(trailers: readonly string[]): void;
}

/** What checkouts whose wire carries messages pass to start a call. */
interface CallStart {
	readonly head: { readonly headers: readonly string[] };
	/** The request message of a call that has exactly one. */
	readonly request: Uint8Array | undefined;
}

/** The listener of checkouts whose wire carries messages. */
interface MessageListener {
	headers(headers: readonly string[]): void;
	message(message: Uint8Array): void;
	end(end: object): void;
}

interface Call {
	/** Delivers the answer or a part of it. Returns whether that was all. */
	answer(): boolean;
}

/**
 * A connection without a network. It answers all calls of one turn of the event loop together in the next turn, as a socket
 * does. It implements both the earlier interface of homing's wire, which carried bytes (`open`), and the present one, which
 * carries messages (`start`). A client calls the one that it knows.
 */
export class MemoryConnection {
	readonly openCalls = 0;
	readonly hasRoom = true;
	readonly maxHeaderBytes = 65_536;
	heard = 0;
	responses = 0;
	readonly #payload: Uint8Array;
	readonly #frame: Uint8Array;
	/** The frames of a stream that arrive in one turn. */
	readonly #frames: Uint8Array;
	readonly #messages: number;
	#isDue = false;
	#waiting: Call[] = [];
	#answering: Call[] = [];
	readonly #answer = (): void => this.#answerAll();
	#awaitsResponse: (() => void) | undefined;

	/** Answers unary calls with the encoded `answer`, and streams with `messages` copies of it. */
	constructor(answer: Uint8Array, messages: number) {
		this.#payload = answer;
		this.#frame = frameOf(this.#payload);
		this.#frames = Buffer.concat(
			Array.from({ length: MESSAGES_A_TURN }, () => this.#frame),
		);
		this.#messages = messages;
	}

	awaitResponse(heard: () => void): void {
		this.#awaitsResponse = heard;
	}

	ping(): boolean {
		return false;
	}

	close(): void {}

	destroy(): void {}

	/** Starts a call that carries bytes. */
	open(headers: readonly string[], listener: ByteListener): object {
		const isStream = headers[5]?.endsWith("/Stream") ?? false;
		return new ByteCall(
			listener,
			isStream ? this.#frames : this.#frame,
			isStream ? this.#messages / MESSAGES_A_TURN : 1,
			this,
		);
	}

	/** Starts a call that carries messages. */
	start(start: CallStart, listener: MessageListener): object {
		const isStream = start.head.headers[5]?.endsWith("/Stream") ?? false;
		const call = new MessageCall(
			listener,
			this.#payload,
			isStream ? this.#messages : 1,
			this,
		);
		if (start.request !== undefined) this.ask(call);
		return call;
	}

	/** The request of a call is complete. */
	ask(call: Call): void {
		this.#waiting.push(call);
		if (this.#isDue) return;
		this.#isDue = true;
		setImmediate(this.#answer);
	}

	#answerAll(): void {
		this.#isDue = false;
		this.heard += 1;
		this.responses += 1;
		const heard = this.#awaitsResponse;
		this.#awaitsResponse = undefined;
		heard?.();
		const calls = this.#waiting;
		this.#waiting = this.#answering;
		this.#answering = calls;
		for (const call of calls) {
			if (!call.answer()) this.ask(call);
		}
		calls.length = 0;
	}
}

class ByteCall implements Call {
	readonly #listener: ByteListener;
	readonly #chunk: Uint8Array;
	#chunks: number;
	readonly #connection: MemoryConnection;
	#isAnswered = false;

	constructor(
		listener: ByteListener,
		chunk: Uint8Array,
		chunks: number,
		connection: MemoryConnection,
	) {
		this.#listener = listener;
		this.#chunk = chunk;
		this.#chunks = chunks;
		this.#connection = connection;
	}

	write(): boolean {
		return true;
	}

	end(): void {
		this.#connection.ask(this);
	}

	reset(): void {}

	/** Does nothing, because the answers are too short to make a client pause. */
	pause(): void {}

	resume(): void {}

	answer(): boolean {
		if (!this.#isAnswered) this.#listener.headers(HEADERS, false);
		this.#isAnswered = true;
		this.#listener.data(this.#chunk);
		this.#chunks -= 1;
		if (this.#chunks > 0) return false;
		this.#listener.end(TRAILERS);
		return true;
	}
}

class MessageCall implements Call {
	readonly #listener: MessageListener;
	readonly #message: Uint8Array;
	#messages: number;
	readonly #connection: MemoryConnection;
	#isAnswered = false;

	constructor(
		listener: MessageListener,
		message: Uint8Array,
		messages: number,
		connection: MemoryConnection,
	) {
		this.#listener = listener;
		this.#message = message;
		this.#messages = messages;
		this.#connection = connection;
	}

	send(): boolean {
		return true;
	}

	end(): void {
		this.#connection.ask(this);
	}

	cancel(): void {}

	/** Does nothing, as in `ByteCall`. */
	hold(): void {}

	release(): void {}

	answer(): boolean {
		if (!this.#isAnswered) this.#listener.headers(HEADERS);
		this.#isAnswered = true;
		const now = Math.min(this.#messages, MESSAGES_A_TURN);
		for (let i = 0; i < now; i++) this.#listener.message(this.#message);
		this.#messages -= now;
		if (this.#messages > 0) return false;
		this.#listener.end({
			code: 0,
			message: "",
			headers: HEADERS,
			trailers: TRAILERS,
			local: false,
			progress: "processed",
			cause: undefined,
		});
		return true;
	}
}

function frameOf(payload: Uint8Array): Uint8Array {
	const frame = Buffer.alloc(5 + payload.length);
	frame.writeUInt32BE(payload.length, 1);
	frame.set(payload, 5);
	return frame;
}
