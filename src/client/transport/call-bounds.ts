import { Code, ConnectError } from "@connectrpc/connect";
import { formatDuration } from "../../checks/duration.ts";
import type { Clock } from "../../policy/clock.ts";
import type { Deadlines, Due } from "../../policy/deadlines.ts";
import { showable } from "../../policy/showable.ts";
import { codeOfCancel, textOfCancel } from "../call/call-errors.ts";
import { followCancellation } from "../call/follow-cancellation.ts";
import { type CarriedCall, deadlineOf } from "./carrier.ts";

/** What bounds a call. */
export type BoundedCall = Pick<
	CarriedCall,
	"ownPolicy" | "policies" | "startedAt" | "scope" | "signal"
>;

/** Where bounds look at the time. A carrier is one. */
export interface Timekeeper {
	readonly clock: Clock;
	readonly deadlines: Deadlines;
}

/**
 * The deadline of a call and everything that can cancel it, as one signal: for interceptors, and for transports that know
 * of neither. It holds from before the first interceptor until the call has ended.
 */
export class CallBounds implements Due {
	readonly #time: Timekeeper;
	readonly #call: BoundedCall;
	readonly #controller = new AbortController();
	readonly dueAt: number;
	duePlace = -1;
	/** Stops to watch the signals and the deadline; undefined while they are not watched. */
	#unwatch: (() => void) | undefined;
	#holds = 0;
	/** The error that the call has failed with, while it is held. */
	#failure: unknown;
	/** The error of a call that was cancelled or whose deadline has passed. */
	#cut: ConnectError | undefined;
	/** The `reject` functions of those that wait within the bounds. */
	readonly #waiting = new Set<(error: ConnectError) => void>();

	constructor(time: Timekeeper, call: BoundedCall) {
		this.#time = time;
		this.#call = call;
		this.dueAt = deadlineOf(call);
		this.#watch();
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** Keeps the bounds until the returned function is called: with the error of the call, if it has failed. */
	hold(): (error?: unknown) => void {
		let isHeld = true;
		this.#hold();
		return (error) => {
			this.#failure ??= error;
			if (isHeld) this.#release();
			isHeld = false;
		};
	}

	/** As `within`, for the call itself. Rejects with ConnectError, and cancels what is then still under way. */
	async run<T>(call: () => Promise<T>): Promise<T> {
		const release = this.hold();
		try {
			return await this.within(call);
		} catch (reason) {
			const error = ConnectError.from(showable(reason));
			this.#controller.abort(error);
			throw error;
		} finally {
			release();
		}
	}

	/**
	 * Settles as `step` does. Once the call is cut short it waits only a moment longer, for a step that ignores the signal:
	 * one that heeds it has the time to reject with an error that says more.
	 */
	within<T>(step: () => Promise<T>): Promise<T> {
		return new Promise((resolve, reject) => {
			this.#hold();
			this.#waiting.add(reject);
			if (this.#cut !== undefined) this.#giveUpSoon(this.#cut);
			const settled = (): void => {
				this.#waiting.delete(reject);
				this.#release();
			};
			const failed = (error: unknown): void => {
				settled();
				reject(error);
			};
			try {
				Promise.resolve(step()).then((value) => {
					settled();
					resolve(value);
				}, failed);
			} catch (error) {
				failed(error);
			}
		});
	}

	/** The deadline has passed. */
	due(): void {
		const timeout = formatDuration(
			Math.round(this.dueAt - this.#call.startedAt),
		);
		this.#cutShort(
			new ConnectError(
				`the deadline of ${timeout} passed`,
				Code.DeadlineExceeded,
			),
		);
	}

	#hold(): void {
		this.#holds += 1;
		this.#watch();
	}

	#release(): void {
		this.#holds -= 1;
		if (this.#holds > 0) return;
		if (this.#failure !== undefined) this.#controller.abort(this.#failure);
		this.#letGo();
	}

	#watch(): void {
		if (this.#unwatch !== undefined || this.#cut !== undefined) return;
		const { deadlines } = this.#time;
		const { signal, scope } = this.#call;
		const cut = (reason: unknown): void => this.#cutShort(reason);
		const unfollow = followCancellation(signal, scope, cut, cut);
		if (this.dueAt < Infinity) deadlines.add(this);
		this.#unwatch = () => {
			deadlines.delete(this);
			unfollow();
		};
		// It may have been cancelled before.
		if (this.#cut !== undefined) this.#letGo();
	}

	#cutShort(reason: unknown): void {
		this.#cut ??= cancelled(reason);
		this.#controller.abort(reason);
		this.#letGo();
		this.#giveUpSoon(this.#cut);
	}

	#giveUpSoon(error: ConnectError): void {
		if (this.#waiting.size === 0) return;
		this.#time.clock.after(0, () => {
			for (const reject of this.#waiting) reject(error);
		});
	}

	#letGo(): void {
		this.#unwatch?.();
		this.#unwatch = undefined;
	}
}

/** The messages of a call, each waited for within its bounds. */
export function boundedMessages<T>(
	bounds: CallBounds,
	messages: AsyncIterable<T>,
): AsyncIterable<T> {
	return {
		[Symbol.asyncIterator]: () =>
			new BoundedIterator(bounds, messages[Symbol.asyncIterator]()),
	};
}

class BoundedIterator<T> implements AsyncIterator<T> {
	readonly #bounds: CallBounds;
	readonly #messages: AsyncIterator<T>;
	readonly #step: () => Promise<IteratorResult<T>>;

	constructor(bounds: CallBounds, messages: AsyncIterator<T>) {
		this.#bounds = bounds;
		this.#messages = messages;
		this.#step = () => messages.next();
	}

	next(): Promise<IteratorResult<T>> {
		return this.#bounds.within(this.#step);
	}

	async return(): Promise<IteratorResult<T>> {
		const left = await this.#messages.return?.();
		return left ?? { done: true, value: undefined };
	}

	/** Connect's clients end an iteration like this when their call is aborted. */
	async throw(error: unknown): Promise<IteratorResult<T>> {
		const messages = this.#messages;
		if (messages.throw !== undefined) return messages.throw(error);
		await messages.return?.();
		throw error;
	}
}

/**
 * The error of a call that was cancelled: CANCELED, or DEADLINE_EXCEEDED if the reason is a deadline or an
 * AbortSignal.timeout.
 */
export function cancelled(
	reason: unknown,
	what = "the call was cancelled",
): ConnectError {
	const code = codeOfCancel(reason);
	if (reason instanceof ConnectError && reason.code === code) return reason;
	const text = textOfCancel(what, reason);
	return new ConnectError(text, code, undefined, undefined, reason);
}
