import type { Clock } from "../../policy/clock.ts";

/**
 * Makes several attempts as in Happy Eyeballs (RFC 8305, section 5) and returns
 * the first success. The next attempt starts when one has failed, or after
 * `delayMs`; the earlier attempts go on meanwhile.
 *
 * @param signal when it fires, no more attempts start, and the promise rejects with its reason
 * @throws AggregateError when all attempts have failed
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
