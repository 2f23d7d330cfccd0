import { formatDuration } from "../../checks/duration.ts";
import type { Clock } from "../../policy/clock.ts";

export interface RenewalSetting {
	readonly clock: Clock;
	/** What is asked for; it goes into messages. */
	readonly what: string;
	/** How long an answer may take, in milliseconds. */
	readonly withinMs: number;
}

/**
 * Asks a function of the user for a value, again and again. The function may take long, or never answer. Whoever asks while
 * an answer is awaited waits for the same answer; an answer that comes after a newer one is ignored.
 */
export class Renewal<T> {
	readonly #ask: () => T | Promise<T>;
	readonly #use: (answer: T) => void;
	readonly #setting: RenewalSetting;
	#asking: Promise<void> | undefined;
	#asked = 0;
	#used = 0;

	constructor(
		ask: () => T | Promise<T>,
		use: (answer: T) => void,
		setting: RenewalSetting,
	) {
		this.#ask = ask;
		this.#use = use;
		this.#setting = setting;
	}

	/** Rejects with what `ask` or `use` throws, and with an Error if there is no answer in time. A late answer is still used. */
	renew(): Promise<void> {
		this.#asking ??= this.#renewInTime();
		return this.#asking;
	}

	async #renewInTime(): Promise<void> {
		const { clock, what, withinMs } = this.#setting;
		const late = Promise.withResolvers<never>();
		const timer = clock.after(withinMs, () =>
			late.reject(
				new Error(`${what} has not answered in ${formatDuration(withinMs)}`),
			),
		);
		try {
			await Promise.race([this.#renew(), late.promise]);
		} finally {
			clock.cancel(timer);
			this.#asking = undefined;
		}
	}

	async #renew(): Promise<void> {
		const turn = ++this.#asked;
		const answer = await this.#ask();
		if (turn < this.#used) return;
		this.#used = turn;
		this.#use(answer);
	}
}
