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
	/** What was known before stays; the watch goes on after a backoff. */
	failed(error: Error): void;
	/** The resolver has survived an error with what it has. */
	reported(error: Error): void;
}

/** From one watch of a resolver that returns to the next, in milliseconds, however often connections are lost. */
const AGAIN_MS = 1000;

/** A system that is back is asked again within this time, in milliseconds, however long it was gone. */
const MAX_BACKOFF_MS = 30_000;

/** Watches one resolver, and watches again after an error (with backoff) or, after a return, on refresh. */
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

	/** A connection was lost: tell the resolver that news would be welcome. */
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

	/** Lets others have the event loop. */
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

/** Throws TypeError for what no `watch` may return: an async function is soon written where a generator is meant. */
function iterable(watched: AsyncIterable<Resolution>): AsyncIterable<unknown> {
	if (typeof watched?.[Symbol.asyncIterator] === "function") return watched;
	Promise.resolve<unknown>(watched).catch((error) =>
		printError("what `watch` of a resolver returned has rejected:", error),
	);
	throw new TypeError(
		`\`watch\` of the resolver returned ${shown(watched)}, which is no async iterable: write async *watch() { yield { endpoints }; }`,
	);
}

/** What a resolver has yielded, whoever wrote it, in slices. Throws OptionError that names what is wrong with it. */
function* checking(yielded: unknown): Generator<void, Resolution> {
	const { endpoints, reason, serviceConfig } = record(yielded, "resolution");
	return {
		endpoints: yield* readEndpointsInSlices(endpoints, "resolution.endpoints"),
		...(reason instanceof Error && { reason }),
		// Read by who compiles it.
		serviceConfig: serviceConfig as ServiceConfig | undefined,
	};
}
