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
	#open = false;

	constructor(clock: Clock, request: CallRequest) {
		this.#clock = clock;
		const deadline = deadlineOf(request);
		if (deadline < Infinity) {
			this.#timer = clock.after(Math.max(deadline - clock.now(), 0), () =>
				this.#controller.abort(
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
			this.#forget.push(
				scope.onCancel((reason) => this.#controller.abort(reason)),
			);
		}
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** The call goes on after `run` has settled, until `end` is called. */
	hold(): void {
		this.#open = true;
	}

	/** Lets go of timer and signals. */
	end(): void {
		this.#clock.cancel(this.#timer);
		for (const forget of this.#forget.splice(0)) forget();
	}

	/** Settles as `call` does, but when the signal fires does not wait for one that ignores it. */
	async run<T>(call: () => Promise<T>): Promise<T> {
		let done = false;
		try {
			const result = await Promise.race([call(), this.#hung(() => done)]);
			if (!this.#open) this.end();
			return result;
		} catch (error) {
			this.end();
			throw error;
		} finally {
			done = true;
		}
	}

	/** Rejects once the signal has fired, a while after whoever heeds it has had time to say more. */
	#hung(done: () => boolean): Promise<never> {
		const { promise, reject } = Promise.withResolvers<never>();
		const { signal } = this;
		const fire = (): void => {
			this.#clock.after(0, () => {
				if (!done()) reject(asError(signal.reason));
			});
		};
		if (signal.aborted) fire();
		else signal.addEventListener("abort", fire, { once: true });
		return promise;
	}

	#follow(signal: AbortSignal): void {
		const abort = (): void => this.#controller.abort(signal.reason);
		if (signal.aborted) abort();
		else {
			signal.addEventListener("abort", abort, { once: true });
			this.#forget.push(() => signal.removeEventListener("abort", abort));
		}
	}
}

function asError(reason: unknown): ConnectError {
	const timedOut = reason instanceof Error && reason.name === "TimeoutError";
	return ConnectError.from(
		reason,
		timedOut ? Code.DeadlineExceeded : Code.Canceled,
	);
}
