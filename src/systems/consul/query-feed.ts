import { Backoff } from "../../policy/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import type { ApiAnswer } from "../http-api.ts";
import { Pause } from "../pause.ts";
import type { IndexedQuery } from "./indexed-query.ts";
import { QueryPace } from "./query-pace.ts";

export interface QueryFeedSetting {
	readonly query: Pick<IndexedQuery, "next" | "forget">;
	readonly clock: Clock;
	readonly random: () => number;
	/** Takes an answer and says whether it brings anything new; what it throws counts as an error of the agent. */
	answered(answer: ApiAnswer, signal: AbortSignal): boolean | Promise<boolean>;
	/** Takes an error that it survives. */
	report(error: Error): void;
}

/** From an error to the next question at least, however welcome news would be. */
const MIN_MS = 1000;
const MAX_BACKOFF_MS = 16_000;

/**
 * Tells what the agent answers to a question, and each further answer, as soon
 * as there may be news. Errors are survived, and tried again after 1 s to 16 s.
 */
export class QueryFeed {
	readonly #setting: QueryFeedSetting;
	readonly #pace: QueryPace;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	readonly #end = new AbortController();

	constructor(setting: QueryFeedSetting) {
		const { clock, random } = setting;
		this.#setting = setting;
		this.#pace = new QueryPace(clock);
		this.#backoff = new Backoff(random, { maxMs: MAX_BACKOFF_MS });
		this.#pause = new Pause(clock);
	}

	/** Resolves when there is an answer. Rejects with DiscoveryError if there is none, and then it has ended. */
	async start(): Promise<void> {
		void this.#follow(await this.#ask());
	}

	/** As `start`, but goes on if there is none. */
	async startAnyway(): Promise<void> {
		void this.#follow(await this.#askAgain());
	}

	/** Something else was lost, so that there may be news: ends a wait for the next question. */
	hurry(): void {
		this.#pause.hurry();
	}

	stop(): void {
		this.#end.abort();
		this.#pause.end();
	}

	async #follow(delayMs: number): Promise<void> {
		const { signal } = this.#end;
		let waitMs = delayMs;
		while (!signal.aborted) {
			await this.#pause.wait(waitMs, Math.min(waitMs, MIN_MS));
			if (!signal.aborted) waitMs = await this.#askAgain();
		}
	}

	/** Milliseconds until the next question. */
	async #askAgain(): Promise<number> {
		try {
			return await this.#ask();
		} catch (error) {
			this.#setting.query.forget();
			if (!this.#end.signal.aborted) this.#setting.report(error as Error);
			return this.#backoff.next();
		}
	}

	async #ask(): Promise<number> {
		const { query, answered } = this.#setting;
		const { signal } = this.#end;
		this.#pace.asked();
		const answer = await query.next(signal);
		this.#pace.answered();
		const changed = await answered(answer, signal);
		this.#backoff.reset();
		return this.#pace.delay(changed);
	}
}
