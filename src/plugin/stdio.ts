import { fstatSync, readSync, writeSync } from "node:fs";

const STDIN = 0;
const STDOUT = 1;
const CHUNK = 1 << 20;

export function stdinIsTerminal(): boolean {
	// The first check is cheap, and false for pipes and files.
	return fstatSync(STDIN).isCharacterDevice() && process.stdin.isTTY === true;
}

/**
 * Reads standard input to its end. Node's streams take longer to load than it
 * takes to answer a small request, so they are used only for the rare pipe that
 * is non-blocking.
 */
export async function readStdin(): Promise<Uint8Array> {
	const chunks: Uint8Array[] = [];
	try {
		for (;;) {
			const chunk = new Uint8Array(chunks.length === 0 ? CHUNK / 16 : CHUNK);
			const length = readSync(STDIN, chunk);
			if (length === 0) {
				break;
			}
			chunks.push(chunk.subarray(0, length));
		}
	} catch (error) {
		if (codeOf(error) === "EAGAIN") {
			for await (const chunk of process.stdin) {
				chunks.push(chunk);
			}
		} else if (codeOf(error) !== "EOF") {
			throw error;
		}
	}
	return Buffer.concat(chunks);
}

/** Writes to standard output. Uses Node's streams only if the pipe is non-blocking and full. */
export async function writeStdout(data: string | Uint8Array): Promise<void> {
	let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
	try {
		while (rest.length > 0) {
			rest = rest.subarray(writeSync(STDOUT, rest));
		}
	} catch (error) {
		if (codeOf(error) !== "EAGAIN") {
			throw error;
		}
		await new Promise<void>((resolve, reject) => {
			process.stdout.write(rest, (failure) =>
				failure ? reject(failure) : resolve(),
			);
		});
	}
}

function codeOf(error: unknown): unknown {
	return error instanceof Error && "code" in error ? error.code : undefined;
}
