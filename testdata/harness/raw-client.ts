/** An HTTP/2 client for tests that need control over every step. */

import { once } from "node:events";
import {
	type ClientHttp2Session,
	type ClientHttp2Stream,
	connect,
	constants,
	type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";

/** Everything that was received on one stream. */
export interface RawOutcome {
	/** Names and values of the headers as received. Undefined if there were none. */
	readonly headers: Readonly<Record<string, string>> | undefined;
	readonly messages: readonly Uint8Array[];
	readonly trailers: Readonly<Record<string, string>> | undefined;
	/** `grpc-status` from the trailers, or from the headers of a Trailers-Only response. */
	readonly status: number | undefined;
	readonly message: string | undefined;
	readonly rstCode: number;
}

export class RawClient implements AsyncDisposable {
	readonly socket: Socket;
	readonly session: ClientHttp2Session;

	/** Connects to "host:port" or "unix:path". */
	constructor(address: string) {
		const [, path, host = "", port = ""] =
			/^(?:unix:(.*)|\[?(.*?)\]?:(\d+))$/.exec(address) ?? [];
		this.socket =
			path === undefined
				? connectSocket(Number(port), host)
				: connectSocket(path);
		this.session = connect("http://server.test", {
			createConnection: () => this.socket,
		});
		this.session.on("error", () => {});
	}

	/** Starts a gRPC call. The headers can change that. */
	open(path: string, headers: OutgoingHttpHeaders = {}): RawCall {
		return new RawCall(
			this.session.request({
				":method": "POST",
				":path": path,
				"content-type": "application/grpc",
				te: "trailers",
				...headers,
			}),
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.session.destroyed) return;
		const closed = once(this.session, "close");
		this.session.destroy();
		await closed;
	}
}

export class RawCall {
	readonly stream: ClientHttp2Stream;
	/** Resolves when the stream is closed. */
	readonly outcome: Promise<RawOutcome>;
	readonly #headers = Promise.withResolvers<Record<string, string>>();
	readonly #messages: Uint8Array[] = [];
	#bytes: Buffer = Buffer.alloc(0);
	#onMessage: (() => void) | undefined;

	constructor(stream: ClientHttp2Stream) {
		this.stream = stream;
		let headers: Record<string, string> | undefined;
		let trailers: Record<string, string> | undefined;
		stream.on("response", (received) => {
			headers = received as Record<string, string>;
			this.#headers.resolve(headers);
		});
		stream.on("trailers", (received) => {
			trailers = received as Record<string, string>;
		});
		stream.on("data", (chunk: Buffer) => this.#received(chunk));
		stream.on("error", () => {});
		const closed = new Promise((resolve) => stream.once("close", resolve));
		this.outcome = closed.then(() => {
			const last = trailers ?? headers;
			const status = last?.["grpc-status"];
			return {
				headers,
				messages: this.#messages,
				trailers,
				status: status === undefined ? undefined : Number(status),
				message: last?.["grpc-message"],
				rstCode: stream.rstCode,
			};
		});
	}

	/** Resolves with the response headers. */
	get headers(): Promise<Record<string, string>> {
		return this.#headers.promise;
	}

	/** Sends bytes as they are, without a message prefix. */
	write(bytes: Uint8Array): this {
		this.stream.write(bytes);
		return this;
	}

	send(message: Uint8Array): this {
		return this.write(framed(message));
	}

	end(): this {
		this.stream.end();
		return this;
	}

	cancel(): this {
		// Node would first end the request, as if it were complete.
		this.stream.end = () => this.stream;
		this.stream.close(constants.NGHTTP2_CANCEL);
		return this;
	}

	/** Resolves when `count` messages have arrived. */
	async received(count: number): Promise<readonly Uint8Array[]> {
		while (this.#messages.length < count) {
			await new Promise<void>((resolve) => {
				this.#onMessage = resolve;
			});
		}
		return this.#messages;
	}

	#received(chunk: Buffer): void {
		this.#bytes = Buffer.concat([this.#bytes, chunk]);
		while (
			this.#bytes.length >= 5 &&
			this.#bytes.length >= 5 + this.#bytes.readUInt32BE(1)
		) {
			const end = 5 + this.#bytes.readUInt32BE(1);
			this.#messages.push(this.#bytes.subarray(5, end));
			this.#bytes = this.#bytes.subarray(end);
		}
		this.#onMessage?.();
	}
}

/** Makes a gRPC message with its prefix. */
export function framed(message: Uint8Array, flags = 0): Buffer {
	const prefix = Buffer.alloc(5);
	prefix[0] = flags;
	prefix.writeUInt32BE(message.length, 1);
	return Buffer.concat([prefix, message]);
}
