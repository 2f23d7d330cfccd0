import { Session } from "node:inspector/promises";
import { setFlagsFromString } from "node:v8";

/**
 * Counts the steps of our own code: how often each block of it was run, as the engine counts for coverage. Unlike time, that
 * is the same on every machine. What built-in functions do inside does not count, nor does code that was loaded before.
 */
export class Steps {
	readonly #session = new Session();
	readonly #files: RegExp;

	/** `files`: what the URLs of the files match whose steps count. Load them after this, by `import()`. */
	static async counting(files: RegExp): Promise<Steps> {
		// Compiled code counts no calls; this process interprets from here on.
		for (const flag of ["--no-opt", "--no-maglev", "--no-sparkplug"]) {
			setFlagsFromString(flag);
		}
		const steps = new Steps(files);
		const session = steps.#session;
		session.connect();
		await session.post("Profiler.enable");
		await session.post("Profiler.startPreciseCoverage", {
			callCount: true,
			detailed: true,
		});
		return steps;
	}

	private constructor(files: RegExp) {
		this.#files = files;
	}

	/** How many an action takes. */
	async of(action: () => void | Promise<void>): Promise<number> {
		await this.#taken();
		await action();
		return this.#taken();
	}

	/** Since it was last asked. */
	async #taken(): Promise<number> {
		const { result } = await this.#session.post("Profiler.takePreciseCoverage");
		return result
			.filter(({ url }) => this.#files.test(url))
			.flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
			.reduce((sum, { count }) => sum + count, 0);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#session.post("Profiler.stopPreciseCoverage");
		this.#session.disconnect();
	}
}
