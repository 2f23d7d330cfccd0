import { Backoff } from "../../policy/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import { DiscoveryError } from "../discovery-error.ts";
import { Pause } from "../pause.ts";
import { Expired } from "./api-status.ts";
import type { Slice } from "./endpoint-slice.ts";
import type { SliceApi } from "./slice-api.ts";

export interface FeedSetting {
	readonly api: SliceApi;
	readonly clock: Clock;
	readonly random: () => number;
	/** Called when `slices` has changed. */
	changed(): void;
	/** Called with each error that does not end the feed. */
	report(error: Error): void;
}

/** The least time from the start of one watch to the next. */
const MIN_MS = 1000;
/** A watch that lasts this long before it fails resets the backoff. */
const GOOD_MS = 5000;
/** The longest backoff, the same as in client-go. */
const MAX_BACKOFF_MS = 30_000;

/**
 * Keeps a copy of the EndpointSlices of a service: lists them, and watches from
 * the resource version of the list. After a watch has ended, a new one continues
 * from the last version; if the API server no longer holds that version, the
 * slices are listed again. After an error, the copy stays as it is, and it tries
 * again after 1 s to 30 s.
 */
export class SliceFeed {
	readonly slices = new Map<string, Slice>();
	readonly #setting: FeedSetting;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	readonly #reported = new Set<string>();
	#stopped = false;
	/** The resource version of `slices`; undefined if they must be listed again. */
	#version: string | undefined;
	#listedAt = -Infinity;

	constructor(setting: FeedSetting) {
		this.#setting = setting;
		this.#backoff = new Backoff(setting.random, { maxMs: MAX_BACKOFF_MS });
		this.#pause = new Pause(setting.clock);
	}

	/** Resolves after the first list, and then keeps the slices up to date. Rejects if they cannot be listed. */
	async start(): Promise<void> {
		await this.#list();
		void this.#follow();
	}

	/** Shortens the wait before the next attempt, because a connection to an endpoint was lost. */
	hurry(): void {
		this.#pause.hurry();
	}

	stop(): void {
		this.#stopped = true;
		this.#setting.api.close();
		this.#pause.end();
	}

	async #follow(): Promise<void> {
		const { clock, changed } = this.#setting;
		while (!this.#stopped) {
			const began = clock.now();
			const since = (): number => clock.now() - began;
			let waitMs = 0;
			try {
				if (this.#version === undefined) {
					await this.#list();
					changed();
				}
				const hadEvents = await this.#watch(this.#version ?? "");
				// A short watch without events counts as a failure (client-go: "very short watch").
				if (hadEvents || since() >= MIN_MS) this.#backoff.reset();
				else waitMs = this.#backoff.next();
			} catch (error) {
				if (this.#stopped) return;
				if (since() > GOOD_MS) this.#backoff.reset();
				waitMs = this.#waitAfter(error as Error);
			}
			const leastMs = MIN_MS - since();
			await this.#pause.wait(Math.max(waitMs, leastMs), leastMs);
		}
	}

	#waitAfter(error: Error): number {
		const { clock, report } = this.#setting;
		if (error instanceof Expired) {
			this.#version = undefined;
			return clock.now() - this.#listedAt > MIN_MS ? 0 : this.#backoff.next();
		}
		// An invalid event may have been a change, so the slices must be listed again.
		if (error instanceof DiscoveryError && error.problem === "badAnswer") {
			this.#version = undefined;
		}
		report(error);
		return this.#backoff.next();
	}

	async #list(): Promise<void> {
		const { slices, version } = await this.#setting.api.list();
		this.#version = version;
		this.#listedAt = this.#setting.clock.now();
		this.slices.clear();
		for (const slice of slices) this.#keep(slice);
	}

	/** Watches from a version. Resolves when the server ends the watch, with whether there were any events. */
	async #watch(version: string): Promise<boolean> {
		const { api, changed } = this.#setting;
		let hadEvents = false;
		for await (const event of api.watch(version)) {
			hadEvents = true;
			this.#version = event.version;
			if (event.kind === "bookmark") continue;
			if (event.kind === "deleted") this.slices.delete(event.name);
			else this.#keep(event.slice);
			changed();
		}
		return hadEvents;
	}

	#keep(slice: Slice): void {
		this.slices.set(slice.name, slice);
		for (const problem of slice.problems) {
			const text = `EndpointSlice ${slice.name} ${problem}`;
			if (this.#reported.has(text)) continue;
			this.#reported.add(text);
			this.#setting.report(new DiscoveryError("badAnswer", text));
		}
	}
}
