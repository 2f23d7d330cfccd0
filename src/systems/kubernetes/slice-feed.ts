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
	/** There is news in `slices`. */
	changed(): void;
	/** Takes an error that it survives. */
	report(error: Error): void;
}

/** From one watch to the next at least, however soon they end. */
const MIN_MS = 1000;
/** A watch that lasted so long before it failed has been a good one. */
const GOOD_MS = 5000;
/** As client-go has it. */
const MAX_BACKOFF_MS = 30_000;

/**
 * Keeps the EndpointSlices of a service as the API server has them: lists them,
 * and watches from the version of the list. A watch that ends goes on where it
 * was; when that is too long ago for the server, they are listed again. Errors are
 * survived with what is there, and tried again after 1 s to 30 s.
 */
export class SliceFeed {
	readonly slices = new Map<string, Slice>();
	readonly #setting: FeedSetting;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	readonly #reported = new Set<string>();
	#stopped = false;
	/** What is known is as of then; undefined when that is not sure. */
	#version: string | undefined;
	#listedAt = -Infinity;

	constructor(setting: FeedSetting) {
		this.#setting = setting;
		this.#backoff = new Backoff(setting.random, { maxMs: MAX_BACKOFF_MS });
		this.#pause = new Pause(setting.clock);
	}

	/** Resolves when the slices have been listed, and then keeps them up to date. Rejects with why they cannot be listed. */
	async start(): Promise<void> {
		await this.#list();
		void this.#follow();
	}

	/** A connection was lost: ends a wait for the next try. */
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
				const news = await this.#watch(this.#version ?? "");
				// Only what ends in less, and has told nothing, is strange (client-go's "very short watch").
				if (news || since() >= MIN_MS) this.#backoff.reset();
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
		// What makes no sense may have been a change that is missed now.
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

	/** Resolves when the watch has ended in order, with whether there was news. */
	async #watch(version: string): Promise<boolean> {
		const { api, changed } = this.#setting;
		let news = false;
		for await (const event of api.watch(version)) {
			news = true;
			this.#version = event.version;
			if (event.kind === "bookmark") continue;
			if (event.kind === "deleted") this.slices.delete(event.name);
			else this.#keep(event.slice);
			changed();
		}
		return news;
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
