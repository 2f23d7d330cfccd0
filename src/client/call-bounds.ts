import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock, Timer } from "../policy/clock.ts";
import { formatDuration } from "../policy/duration.ts";
import { type CallRequest, deadlineOf } from "./call-request.ts";

/**
 * The deadline of a call and all that can cancel it, as one signal: for interceptors, and for transports that know of
 * neither. It holds from before the first interceptor to the end of the call.
 */
export class CallBounds {
	readonly #clock: Clock;
	readonly #controller = new AbortController();
	readonly #timer: Timer;
	readonly #forget: (() => void)[] = [];
	#holds = 0;
	#settled = false;

	constructor(clock: Clock, request: CallRequest) {
		this.#clock = clock;
		const deadline = deadlineOf(request);
		if (deadline < Infinity) {
			const remaining = Math.ceil(deadline - clock.now());
			this.#timer = clock.after(Math.max(remaining, 0), () =>
				this.#abort(
					new ConnectError(
						`the deadline of ${formatDuration(Math.round(deadline - request.startedAt))} passed`,
						Code.DeadlineExceeded,
					),
				),
			);
		}
		const { scope, signal } = request;
		if (signal !== undefined) this.#follow(signal);
		if (scope !== undefined) {
			this.#forget.push(scope.onCancel((reason) => this.#abort(reason)));
		}
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** The call goes on after `run` has settled, until what this returns is called: with its error, if it has failed. */
	hold(): (error?: unknown) => void {
		let held = true;
		this.#holds++;
		return (error) => {
			if (held) this.#holds--;
			held = false;
			this.#endIfOver(error);
		};
	}

	/**
	 * Settles as `call` does, but when the signal fires does not wait for one that ignores it. Rejects with ConnectError;
	 * what may then still be under way is cancelled.
	 */
	async run<T>(call: () => Promise<T>): Promise<T> {
		try {
			return await Promise.race([call(), this.#hung()]);
		} catch (reason) {
			const error = ConnectError.from(reason);
			this.#abort(error);
			throw error;
		} finally {
			this.#settled = true;
			this.#endIfOver();
		}
	}

	/** Rejects once the signal has fired, a while after whoever heeds it has had time to say more. */
	#hung(): Promise<never> {
		const { promise, reject } = Promise.withResolvers<never>();
		const { signal } = this;
		const fire = (): void => {
			this.#clock.after(0, () => {
				if (!this.#settled) reject(cancelled(signal.reason));
			});
		};
		if (signal.aborted) fire();
		else signal.addEventListener("abort", fire, { once: true });
		return promise;
	}

	#abort(reason: unknown): void {
		this.#controller.abort(reason);
		this.#end();
	}

	#endIfOver(error?: unknown): void {
		if (!this.#settled || this.#holds > 0) return;
		if (error === undefined) this.#end();
		else this.#abort(error);
	}

	/** Lets go of timer and signals. */
	#end(): void {
		this.#clock.cancel(this.#timer);
		for (const forget of this.#forget.splice(0)) forget();
	}

	#follow(signal: AbortSignal): void {
		const abort = (): void => this.#abort(signal.reason);
		if (signal.aborted) abort();
		else {
			signal.addEventListener("abort", abort, { once: true });
			this.#forget.push(() => signal.removeEventListener("abort", abort));
		}
	}
}

/** The error of a call that was cancelled for `reason`: CANCELED, or DEADLINE_EXCEEDED for a deadline or an AbortSignal.timeout. */
export function cancelled(
	reason: unknown,
	what = "the call was cancelled",
): ConnectError {
	const code = isTimeout(reason) ? Code.DeadlineExceeded : Code.Canceled;
	if (reason instanceof ConnectError && reason.code === code) return reason;
	const why = reason instanceof Error ? `: ${reason.message}` : "";
	return new ConnectError(`${what}${why}`, code, undefined, undefined, reason);
}

function isTimeout(reason: unknown): boolean {
	return reason instanceof ConnectError
		? reason.code === Code.DeadlineExceeded
		: reason instanceof Error && reason.name === "TimeoutError";
}
