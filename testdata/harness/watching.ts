import type {
	Endpoint,
	Resolution,
	Resolver,
} from "../../src/discovery/resolver.ts";

/** Watches a resolver as a channel does, and records what it yields. */
export class Watching implements AsyncDisposable {
	readonly seen: Resolution[] = [];
	readonly reported: Error[] = [];
	/** How often the resolver has waited for a refresh. */
	refreshesAwaited = 0;
	/** Resolves with the error that ended the watch, or with undefined if the watch returned. */
	readonly ended: Promise<unknown>;
	readonly #abort = new AbortController();
	#refresh = Promise.withResolvers<void>();
	#news = Promise.withResolvers<void>();

	constructor(resolver: Resolver) {
		this.ended = this.#run(resolver);
	}

	/** The addresses of the last resolution. */
	get addresses(): Endpoint["address"][] | undefined {
		return this.seen.at(-1)?.endpoints.map(({ address }) => address);
	}

	/** Resolves when the condition holds. It is checked at each resolution. */
	async until(condition: () => boolean): Promise<void> {
		while (!condition()) {
			await this.#news.promise;
		}
	}

	/** Asks for a refresh, as after a lost connection. */
	refresh(): void {
		this.#refresh.resolve();
		this.#refresh = Promise.withResolvers();
	}

	/** Ends the watch, and resolves when the resolver has ended. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#abort.abort();
		await this.ended;
	}

	async #run(resolver: Resolver): Promise<unknown> {
		const resolutions = resolver.watch({
			signal: this.#abort.signal,
			refresh: () => {
				this.refreshesAwaited += 1;
				return this.#refresh.promise;
			},
			report: (error) => {
				this.reported.push(error);
				this.#tell();
			},
		});
		try {
			for await (const resolution of resolutions) {
				this.seen.push(resolution);
				this.#tell();
			}
			return undefined;
		} catch (error) {
			return error;
		} finally {
			this.#tell();
		}
	}

	#tell(): void {
		this.#news.resolve();
		this.#news = Promise.withResolvers();
	}
}
