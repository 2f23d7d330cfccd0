import { type FSWatcher, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Clock } from "../policy/clock.ts";
import { readWrittenEndpoints } from "./endpoints.ts";
import { failure } from "./failure.ts";
import { lookAgain, type Sight } from "./resolve-loop.ts";
import type { Endpoint, ResolveContext, Resolver } from "./resolver.ts";

export interface FileSeams {
	readonly clock?: Clock | undefined;
}

/** For the changes that no event tells of: on network file systems, behind links. */
const EVERY_MS = 5000;
/** A file that is being written is soon whole. */
const MIN_MS = 100;

/**
 * The endpoints that a JSON file lists, read again whenever it changes:
 *
 * ```json
 * ["10.0.0.1:50051", { "address": "10.0.0.2:50051", "weight": 2, "zone": "b" }]
 * ```
 *
 * A file that is missing or broken keeps the last good list; that reaches the
 * hooks, once for each thing that is wrong. With no good list yet, it is an
 * error.
 */
export function fileResolver(path: string, seams: FileSeams = {}): Resolver {
	return {
		watch: (context) => {
			const file = new EndpointsFile(path, context);
			return lookAgain(
				context,
				{
					everyMs: EVERY_MS,
					minMs: MIN_MS,
					wake: (ask) => watchFile(path, ask),
					clock: seams.clock,
				},
				() => file.look(),
			);
		},
	};
}

class EndpointsFile {
	readonly #path: string;
	readonly #context: ResolveContext;
	#lastGood: readonly Endpoint[] | undefined;
	/** What was wrong at the last look. */
	#wrong: string | undefined;
	#reported: string | undefined;

	constructor(path: string, context: ResolveContext) {
		this.#path = path;
		this.#context = context;
	}

	async look(): Promise<Sight> {
		try {
			this.#lastGood = await readEndpointsFile(this.#path);
		} catch (error) {
			return this.#survive(error as Error);
		}
		this.#wrong = undefined;
		this.#reported = undefined;
		return { endpoints: this.#lastGood };
	}

	/** What is wrong twice in a row was no file in the middle of being written. */
	#survive(error: Error): Sight {
		if (this.#lastGood === undefined) {
			throw error;
		}
		const again = this.#wrong === error.message;
		this.#wrong = error.message;
		if (again && this.#reported !== error.message) {
			this.#reported = error.message;
			this.#context.report?.(error);
		}
		return {
			endpoints: this.#lastGood,
			...(again ? {} : { againInMs: MIN_MS }),
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

/** Watches the directory, as an editor puts a new file in the old one's place; Kubernetes swaps `..data` beside it. */
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
		// A directory that cannot be watched: time is what finds the changes.
		return () => {};
	}
	watcher.on("error", () => watcher.close());
	return () => watcher.close();
}
