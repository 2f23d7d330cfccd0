import { createGunzip, createGzip, type Gunzip, type Gzip } from "node:zlib";
import {
	AT_ONCE_BYTES,
	InflatesTooLarge,
	inflatedSize,
	LEVEL,
	malformedGzip,
} from "./gzip.ts";
import type { Turn, Turns } from "./turns.ts";

/** Output of a thread at a time: small enough for abandoned work to end soon. */
const CHUNK_BYTES = 256 * 1024;

interface GzipOutcome {
	done(output: Uint8Array): void;
	failed(error: Error): void;
}

/** Inflates or deflates one message on another thread, in its turn. */
class GzipWork {
	readonly #make: () => Gunzip | Gzip;
	readonly #input: Uint8Array;
	readonly #maxBytes: number;
	readonly #outcome: GzipOutcome;
	readonly #turn: Turn;
	#expectedBytes: number;
	#stream: Gunzip | Gzip | undefined;
	#chunks: Uint8Array[] = [];
	#bytes = 0;
	#over = false;

	constructor(
		turns: Turns,
		make: () => Gunzip | Gzip,
		input: Uint8Array,
		{ expectedBytes, maxBytes }: { expectedBytes: number; maxBytes: number },
		outcome: GzipOutcome,
	) {
		this.#make = make;
		this.#input = input;
		this.#expectedBytes = expectedBytes;
		this.#maxBytes = maxBytes;
		this.#outcome = outcome;
		this.#turn = turns.take(expectedBytes, () => this.#start());
	}

	/** Abandons the work, begun or not. Its outcome is not told. */
	stop(): void {
		if (this.#over) return;
		this.#over = true;
		this.#chunks = [];
		this.#stream?.destroy();
		this.#turn.end();
	}

	#start(): void {
		const stream = this.#make();
		this.#stream = stream;
		stream.on("data", (chunk: Uint8Array) => this.#heard(chunk));
		stream.on("error", (error: Error) => this.#fail(malformedGzip(error)));
		stream.on("end", () => this.#finish());
		stream.end(this.#input);
	}

	#heard(chunk: Uint8Array): void {
		if (this.#over) return;
		this.#chunks.push(chunk);
		this.#bytes += chunk.length;
		if (this.#bytes > this.#maxBytes) {
			this.#fail(new InflatesTooLarge());
		} else if (this.#bytes > this.#expectedBytes) {
			this.#turn.grow(this.#bytes - this.#expectedBytes);
			this.#expectedBytes = this.#bytes;
		}
	}

	#finish(): void {
		if (this.#over) return;
		const chunks = this.#chunks;
		const output =
			chunks.length === 1
				? (chunks[0] as Uint8Array)
				: Buffer.concat(chunks, this.#bytes);
		this.stop();
		this.#outcome.done(output);
	}

	#fail(error: Error): void {
		if (this.#over) return;
		this.stop();
		this.#outcome.failed(error);
	}
}

/** Work on another thread, under way or waiting for its turn. */
export interface StoppableWork {
	/** Abandons the work. Its outcome is not told. */
	stop(): void;
}

/** Inflates a message. Fails with InflatesTooLarge as soon as the output exceeds `maxBytes`. */
export function inflate(
	turns: Turns,
	compressed: Uint8Array,
	maxBytes: number,
	outcome: GzipOutcome,
): StoppableWork {
	const expectedBytes = Math.min(inflatedSize(compressed), maxBytes);
	const chunkSize = Math.max(
		AT_ONCE_BYTES,
		Math.min(expectedBytes + 1, CHUNK_BYTES),
	);
	return new GzipWork(
		turns,
		() => createGunzip({ chunkSize }),
		compressed,
		{ expectedBytes, maxBytes },
		outcome,
	);
}

export function deflate(
	turns: Turns,
	message: Uint8Array,
	outcome: GzipOutcome,
): StoppableWork {
	return new GzipWork(
		turns,
		() => createGzip({ level: LEVEL, chunkSize: AT_ONCE_BYTES }),
		message,
		{ expectedBytes: message.length, maxBytes: Infinity },
		outcome,
	);
}
