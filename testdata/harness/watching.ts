import type {
	Endpoint,
	Resolution,
	Resolver,
} from "../../src/discovery/resolver.ts";

/** Watches a resolver as a channel does, and keeps what it says. */
export class Watching implements AsyncDisposable {
	readonly seen: Resolution[] = [];
	readonly reported: Error[] = [];
	/** How often the resolver has asked for a refresh. */
	refreshesAwaited = 0;
	/** Resolves with the error that ended the watch, or with undefined when it returned. */
	readonly ended: Promise<unknown>;
	readonly #abort = new AbortController();
	#refresh = Promise.withResolvers<void>();
	#news = Promise.withResolvers<void>();

	constructor(resolver: Resolver) {
		this.ended = this.#run(resolver);
	}

	/** The addresses last seen. */
	get addresses(): Endpoint["address"][] | undefined {
		return this.seen.at(-1)?.endpoints.map(({ address }) => address);
	}

	/** Resolves as soon as `condition` holds; it is asked again at each news. */
	async until(condition: () => boolean): Promise<void> {
		while (!condition()) {
			await this.#news.promise;
		}
	}

	/** A connection was lost. */
	refresh(): void {
		this.#refresh.resolve();
		this.#refresh = Promise.withResolvers();
	}

	/** Loses interest, and resolves when the resolver has ended. */
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
