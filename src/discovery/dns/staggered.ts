import type { Clock } from "../../policy/clock.ts";

/**
 * The first success of several attempts, as Happy Eyeballs goes about it
 * (RFC 8305, section 5): the next one starts when one has failed, or after a
 * while, and does not end those before it.
 *
 * @param signal starts no more and rejects with its reason
 * @throws AggregateError when all have failed
 */
export function staggered<T>(
	attempts: readonly (() => Promise<T>)[],
	delayMs: number,
	signal: AbortSignal,
	clock: Clock,
): Promise<T> {
	const { promise, resolve, reject } = Promise.withResolvers<T>();
	const waiting = [...attempts];
	const errors: unknown[] = [];
	let timer: unknown;

	const startNext = (): void => {
		clock.cancel(timer);
		const attempt = waiting.shift();
		if (attempt !== undefined) {
			attempt().then(succeeded, failed);
		}
		if (waiting.length > 0) {
			timer = clock.afterIdle(delayMs, startNext);
		}
	};
	const succeeded = (value: T): void => {
		stop();
		resolve(value);
	};
	const failed = (error: unknown): void => {
		errors.push(error);
		if (errors.length === attempts.length) {
			stop();
			reject(new AggregateError(errors, "all attempts failed"));
		}
		startNext();
	};
	const aborted = (): void => {
		stop();
		reject(signal.reason);
	};
	const stop = (): void => {
		waiting.length = 0;
		clock.cancel(timer);
		signal.removeEventListener("abort", aborted);
	};

	if (signal.aborted) {
		aborted();
	} else if (attempts.length === 0) {
		reject(new AggregateError(errors, "there is nothing to attempt"));
	} else {
		signal.addEventListener("abort", aborted);
		startNext();
	}
	return promise;
}
