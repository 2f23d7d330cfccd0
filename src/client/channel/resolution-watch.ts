import { shown } from "../../checks/option-error.ts";
import { record } from "../../checks/option-table.ts";
import { readEndpointsInSlices } from "../../discovery/endpoints.ts";
import type { Resolution, Resolver } from "../../discovery/resolver.ts";
import { Backoff } from "../../policy/backoff.ts";
import type { Clock, Timer } from "../../policy/clock.ts";
import { printError } from "../../policy/print-error.ts";
import type { ServiceConfig } from "../../policy/service-config.ts";
import { showable } from "../../policy/showable.ts";

export interface ResolutionListener {
	resolved(resolution: Resolution): void;
	/** The resolver has failed. Earlier endpoints stay, and the watch goes on after a backoff. */
	failed(error: Error): void;
	/** The resolver has reported an error that does not end the watch. */
	reported(error: Error): void;
}

/** The shortest time between two watches of a resolver that returns, in milliseconds, however often connections are lost. */
const AGAIN_MS = 1000;

/** The longest backoff, in milliseconds: a system that works again is asked within this time. */
const MAX_BACKOFF_MS = 30_000;

/** Watches a resolver. Watches it again after an error, with a backoff, and, after it has returned, on a refresh. */
export class ResolutionWatch {
	readonly #resolver: Resolver;
	readonly #clock: Clock;
	readonly #backoff: Backoff;
	readonly #listener: ResolutionListener;
	readonly #abort = new AbortController();
	#refreshes: (() => void)[] = [];
	#retry: { timer: Timer; resume: () => void } | undefined;

	constructor(
		resolver: Resolver,
		clock: Clock,
		random: () => number,
		listener: ResolutionListener,
	) {
		this.#resolver = resolver;
		this.#clock = clock;
		this.#backoff = new Backoff(random, { maxMs: MAX_BACKOFF_MS });
		this.#listener = listener;
		void this.#run();
	}

	/** Asks the resolver to resolve again, because a connection was lost. */
	refresh(): void {
		const waiting = this.#refreshes;
		this.#refreshes = [];
		for (const resolve of waiting) resolve();
	}

	stop(): void {
		this.#abort.abort();
		this.#clock.cancel(this.#retry?.timer);
		this.#retry?.resume();
		this.refresh();
	}

	async #run(): Promise<void> {
		const { signal } = this.#abort;
		while (!signal.aborted) {
			const startedAt = this.#clock.now();
			try {
				const watched = this.#resolver.watch({
					signal,
					refresh: () => this.#nextRefresh(),
					report: (error) => this.#listener.reported(error),
				});
				for await (const yielded of iterable(watched)) {
					if (signal.aborted) return;
					const reading = checking(yielded);
					let read = reading.next();
					while (!read.done) {
						await this.#turn();
						if (signal.aborted) return;
						read = reading.next();
					}
					const resolution = read.value;
					this.#backoff.reset();
					this.#listener.resolved(resolution);
				}
				if (!signal.aborted) await this.#nextRefresh();
				if (!signal.aborted) {
					await this.#wait(startedAt + AGAIN_MS - this.#clock.now());
				}
			} catch (error) {
				if (signal.aborted) return;
				const thrown = showable(error);
				this.#listener.failed(
					thrown instanceof Error ? thrown : new Error(String(thrown)),
				);
				await this.#wait(this.#backoff.next());
			}
		}
	}

	#nextRefresh(): Promise<void> {
		return new Promise((resolve) => {
			this.#refreshes.push(resolve);
		});
	}

	#wait(ms: number): Promise<void> {
		return ms <= 0 ? Promise.resolve() : this.#after(ms);
	}

	/** Yields to the event loop. */
	#turn(): Promise<void> {
		return this.#after(0);
	}

	#after(ms: number): Promise<void> {
		return new Promise((resolve) => {
			const timer = this.#clock.afterIdle(ms, resolve);
			this.#retry = { timer, resume: resolve };
		});
	}
}

/** Throws TypeError if `watch` has returned something other than an async iterable: an async function is easily written instead of a generator. */
function iterable(watched: AsyncIterable<Resolution>): AsyncIterable<unknown> {
	if (typeof watched?.[Symbol.asyncIterator] === "function") return watched;
	Promise.resolve<unknown>(watched).catch((error) =>
		printError("what `watch` of a resolver returned has rejected:", error),
	);
	throw new TypeError(
		`\`watch\` of the resolver returned ${shown(watched)}, which is no async iterable: write async *watch() { yield { endpoints }; }`,
	);
}

/** Checks what a resolver has yielded, in slices. Throws OptionError that names what is wrong. */
function* checking(yielded: unknown): Generator<void, Resolution> {
	const { endpoints, reason, serviceConfig } = record(yielded, "resolution");
	return {
		endpoints: yield* readEndpointsInSlices(endpoints, "resolution.endpoints"),
		...(reason instanceof Error && { reason }),
		// It is checked when it is compiled.
		serviceConfig: serviceConfig as ServiceConfig | undefined,
	};
}
