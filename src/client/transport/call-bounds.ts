import { Code, ConnectError } from "@connectrpc/connect";
import { formatDuration } from "../../checks/duration.ts";
import type { Clock } from "../../policy/clock.ts";
import { showable } from "../../policy/showable.ts";
import { codeOfCancel, textOfCancel } from "../call/call-errors.ts";
import { type CallRequest, deadlineOf } from "../call/call-request.ts";

/**
 * The deadline of a call and all that can cancel it, as one signal: for interceptors, and for transports that know of
 * neither. It holds from before the first interceptor to the end of the call.
 */
export class CallBounds {
	readonly #clock: Clock;
	readonly #request: CallRequest;
	readonly #deadline: number;
	readonly #controller = new AbortController();
	/** How to let go of timer and signals, while they are watched. */
	#forget: (() => void)[] | undefined;
	#holds = 0;
	/** What the call has failed with, while it is held. */
	#failure: unknown;
	/** The error of a call whose bounds were reached. */
	#cut: ConnectError | undefined;
	/** Those who wait within the bounds. */
	readonly #waiting = new Set<(error: ConnectError) => void>();

	constructor(clock: Clock, request: CallRequest) {
		this.#clock = clock;
		this.#request = request;
		this.#deadline = deadlineOf(request);
		this.#watch();
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** The call goes on until what this returns is called: with its error, if it has failed. */
	hold(): (error?: unknown) => void {
		let held = true;
		this.#holds++;
		this.#watch();
		return (error) => {
			this.#failure ??= error;
			if (held) this.#holds--;
			held = false;
			if (this.#holds > 0) return;
			if (this.#failure !== undefined) this.#controller.abort(this.#failure);
			this.#letGo();
		};
	}

	/** As `within`, for the call itself. Rejects with ConnectError; what may then still be under way is cancelled. */
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
	 * Settles as `step` does, but once the bounds are reached does not wait for one that ignores the signal: only a while,
	 * so that one that heeds it has time to say more.
	 */
	within<T>(step: () => Promise<T>): Promise<T> {
		return new Promise((resolve, reject) => {
			const release = this.hold();
			const settle = (): void => {
				this.#waiting.delete(reject);
				release();
			};
			this.#waiting.add(reject);
			if (this.#cut !== undefined) this.#giveUpSoon(this.#cut);
			step().finally(settle).then(resolve, reject);
		});
	}

	#watch(): void {
		if (this.#forget !== undefined || this.#cut !== undefined) return;
		this.#forget = [];
		if (this.#deadline < Infinity) this.#watchDeadline(this.#forget);
		const { scope, signal } = this.#request;
		if (signal !== undefined) this.#follow(signal, this.#forget);
		if (scope !== undefined) {
			this.#forget?.push(scope.onCancel((reason) => this.#cutShort(reason)));
		}
	}

	#watchDeadline(forget: (() => void)[]): void {
		const { startedAt } = this.#request;
		const remaining = Math.ceil(this.#deadline - this.#clock.now());
		const timer = this.#clock.after(Math.max(remaining, 0), () =>
			this.#cutShort(
				new ConnectError(
					`the deadline of ${formatDuration(Math.round(this.#deadline - startedAt))} passed`,
					Code.DeadlineExceeded,
				),
			),
		);
		forget.push(() => this.#clock.cancel(timer));
	}

	#follow(signal: AbortSignal, forget: (() => void)[]): void {
		const abort = (): void => this.#cutShort(signal.reason);
		if (signal.aborted) abort();
		else {
			signal.addEventListener("abort", abort, { once: true });
			forget.push(() => signal.removeEventListener("abort", abort));
		}
	}

	/** The bounds are reached. */
	#cutShort(reason: unknown): void {
		this.#cut ??= cancelled(reason);
		this.#controller.abort(reason);
		this.#letGo();
		this.#giveUpSoon(this.#cut);
	}

	#giveUpSoon(error: ConnectError): void {
		if (this.#waiting.size === 0) return;
		this.#clock.after(0, () => {
			for (const reject of this.#waiting) reject(error);
		});
	}

	#letGo(): void {
		for (const forget of this.#forget?.splice(0) ?? []) forget();
		this.#forget = undefined;
	}
}

/** The messages of a call, each waited for within its bounds. */
export function boundedMessages<T>(
	bounds: CallBounds,
	messages: AsyncIterable<T>,
): AsyncIterable<T> {
	return {
		[Symbol.asyncIterator]() {
			const iterator = messages[Symbol.asyncIterator]();
			return {
				next: () => bounds.within(async () => iterator.next()),
				return: async () =>
					(await iterator.return?.()) ?? { done: true, value: undefined },
				// Connect's clients end an iteration so when its call is aborted.
				async throw(error) {
					if (iterator.throw !== undefined) return iterator.throw(error);
					await iterator.return?.();
					throw error;
				},
			};
		},
	};
}

/** The error of a call that was cancelled for `reason`: CANCELED, or DEADLINE_EXCEEDED for a deadline or an AbortSignal.timeout. */
export function cancelled(
	reason: unknown,
	what = "the call was cancelled",
): ConnectError {
	const code = codeOfCancel(reason);
	if (reason instanceof ConnectError && reason.code === code) return reason;
	const text = textOfCancel(what, reason);
	return new ConnectError(text, code, undefined, undefined, reason);
}
