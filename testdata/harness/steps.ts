import { Session } from "node:inspector/promises";
import { setFlagsFromString } from "node:v8";

/**
 * Counts how often each block of our code was run, with the coverage counters of V8. Unlike time, the result is the same on
 * every machine. Work inside built-in functions is not counted, and neither is code that was loaded before.
 */
export class Steps {
	readonly #session = new Session();
	readonly #files: RegExp;

	/** @param files a pattern for the URLs of the files to count. Load them afterwards, with `import()`. */
	static async counting(files: RegExp): Promise<Steps> {
		// Optimized code does not count calls, so this process interprets its code from here on.
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

	/** Returns how many steps an action takes. */
	async of(action: () => void | Promise<void>): Promise<number> {
		await this.#taken();
		await action();
		return this.#taken();
	}

	/** Returns the steps since the last call. */
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
