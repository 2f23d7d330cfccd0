import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Clock } from "../policy/clock.ts";
import { readWrittenEndpoints } from "./endpoints.ts";
import { failure } from "./failure.ts";
import { type ResolveResult, resolveLoop } from "./resolve-loop.ts";
import type { Endpoint, ResolveContext, Resolver } from "./resolver.ts";

/** What tests replace. Default: the system's clock. */
export interface FileDependencies {
	readonly clock?: Clock | undefined;
}

/** How often the file is read without an event: on network file systems and behind links, changes cause no event. */
const EVERY_MS = 5000;
/** The wait before a broken file is read again: it may be a file that is just being written. */
const MIN_MS = 100;

/**
 * Resolves to the endpoints that a JSON file lists, and reads the file again whenever it changes:
 *
 * ```json
 * ["10.0.0.1:50051", { "address": "10.0.0.2:50051", "weight": 2, "zone": "b" }]
 * ```
 *
 * While the file is missing or broken, the last valid list stays in use, and the
 * hook `resolved` gets each different error once. If there is no valid list yet,
 * the watch fails with the error.
 */
export function fileResolver(
	path: string,
	dependencies: FileDependencies = {},
): Resolver {
	return {
		watch: (context) => {
			const file = new EndpointsFile(path, context);
			return resolveLoop(
				context,
				{
					everyMs: EVERY_MS,
					minMs: MIN_MS,
					wake: (ask) => watchFile(path, ask),
					clock: dependencies.clock,
				},
				() => file.read(),
			);
		},
	};
}

class EndpointsFile {
	readonly #path: string;
	readonly #context: ResolveContext;
	#lastGood: readonly Endpoint[] | undefined;
	/** The error of the last read; undefined if it succeeded. */
	#lastError: string | undefined;
	#reported: string | undefined;

	constructor(path: string, context: ResolveContext) {
		this.#path = path;
		this.#context = context;
	}

	async read(): Promise<ResolveResult> {
		try {
			this.#lastGood = await readEndpointsFile(this.#path);
		} catch (error) {
			return this.#keepLastGood(error as Error);
		}
		this.#lastError = undefined;
		this.#reported = undefined;
		return { endpoints: this.#lastGood };
	}

	/** Reports an error only when it comes twice in a row: the first time, the file may have been half written. */
	#keepLastGood(error: Error): ResolveResult {
		if (this.#lastGood === undefined) {
			throw error;
		}
		const again = this.#lastError === error.message;
		this.#lastError = error.message;
		if (again && this.#reported !== error.message) {
			this.#reported = error.message;
			this.#context.report?.(error);
		}
		return {
			endpoints: this.#lastGood,
			...(again ? {} : { nextInMs: MIN_MS }),
		};
	}
}

async function readEndpointsFile(path: string): Promise<readonly Endpoint[]> {
	let list: unknown;
	try {
		list = JSON.parse(await readFile(path, "utf8"));
	} catch (cause) {
		throw failure(`the endpoints file ${path} cannot be read`, cause);
	}
	return readWrittenEndpoints(list, path);
}

/**
 * Watches the file's directory, because an editor replaces the file by a new one, and Kubernetes replaces the link `..data`
 * beside it.
 */
function watchFile(path: string, changed: () => void): () => void {
	const file = basename(path);
	let watcher: FSWatcher;
	try {
		watcher = watch(dirname(path), { persistent: false }, (_, name) => {
			if (name === null || name === file || name === "..data") {
				changed();
			}
		});
	} catch {
		// A directory that cannot be watched: the file is still read every EVERY_MS.
		return () => {};
	}
	watcher.on("error", () => watcher.close());
	return () => watcher.close();
}
