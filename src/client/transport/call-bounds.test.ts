import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { FakeClock, settled } from "../../../testdata/harness/fake-clock.ts";
import { Deadlines } from "../../policy/deadlines.ts";
import { NO_POLICY } from "../options/call-options.ts";
import {
	type BoundedCall,
	boundedMessages,
	CallBounds,
	cancelled,
} from "./call-bounds.ts";

function boundsOf(
	clock: FakeClock,
	timeoutMs?: number,
	more: Partial<BoundedCall> = {},
): CallBounds {
	const time = { clock, deadlines: new Deadlines(clock) };
	return new CallBounds(time, {
		policies: { current: timeoutMs === undefined ? {} : { timeoutMs } },
		ownPolicy: NO_POLICY,
		signal: undefined,
		scope: undefined,
		startedAt: clock.now(),
		...more,
	});
}

const never = (): Promise<never> => new Promise(() => {});

describe("the bounds of a call", () => {
	test("settle as the call does, and leave no timer behind", async () => {
		const clock = new FakeClock();
		const bounds = boundsOf(clock, 1_000);
		expect(clock.pending).toBe(1);
		expect(await bounds.run(async () => 7)).toBe(7);
		expect(clock.pending).toBe(0);
		expect(bounds.signal.aborted).toBe(false);
	});

	test("fire the signal at the deadline, and end a call that ignores it", async () => {
		const clock = new FakeClock();
		const bounds = boundsOf(clock, 1_000);
		const failed = expect(bounds.run(never)).rejects.toMatchObject({
			code: Code.DeadlineExceeded,
			rawMessage: "the deadline of 1 s passed",
		});
		await clock.advance(999);
		expect(bounds.signal.aborted).toBe(false);
		await clock.advance(1);
		expect(bounds.signal.reason).toMatchObject({ code: Code.DeadlineExceeded });
		await failed;
		expect(clock.pending).toBe(0);
	});

	test("let a call that heeds the signal fail with its own error", async () => {
		const clock = new FakeClock();
		const bounds = boundsOf(clock, 1_000);
		const failed = expect(
			bounds.run(
				() =>
					new Promise((_resolve, reject) => {
						bounds.signal.addEventListener("abort", () =>
							reject(new ConnectError("more", Code.DeadlineExceeded)),
						);
					}),
			),
		).rejects.toThrow("more");
		await clock.advance(1_000);
		await failed;
	});

	test("apply the earlier of the own and the inherited deadline", async () => {
		const clock = new FakeClock();
		const scope = { deadline: 300, onCancel: () => () => {} };
		const bounds = boundsOf(clock, 1_000, { scope });
		await clock.advance(299);
		expect(bounds.signal.aborted).toBe(false);
		await clock.advance(1);
		expect(bounds.signal.aborted).toBe(true);
	});

	test("follow the caller's signal and the inherited cancellation until the call ends", async () => {
		const clock = new FakeClock();
		const reason = new Error("enough");
		const abort = new AbortController();
		const followed = boundsOf(clock, undefined, { signal: abort.signal });
		abort.abort(reason);
		expect(followed.signal.reason).toBe(reason);

		let cancel: ((reason: unknown) => void) | undefined;
		const scope = {
			deadline: undefined,
			onCancel: (listener: (reason: unknown) => void) => {
				cancel = listener;
				return () => {
					cancel = undefined;
				};
			},
		};
		const inherited = boundsOf(clock, undefined, { scope });
		cancel?.(reason);
		expect(inherited.signal.reason).toBe(reason);
		expect(cancel).toBeUndefined();

		const later = new AbortController();
		const over = boundsOf(clock, undefined, { scope, signal: later.signal });
		await over.run(async () => {});
		expect(cancel).toBeUndefined();
		later.abort();
		expect(over.signal.aborted).toBe(false);
	});

	test("apply for as long as they are held", async () => {
		const clock = new FakeClock();
		const bounds = boundsOf(clock, 1_000);
		const releases = [bounds.hold(), bounds.hold()];
		await bounds.run(async () => {});
		releases[0]?.();
		releases[0]?.();
		expect(clock.pending).toBe(1);
		releases[1]?.();
		expect(clock.pending).toBe(0);
	});

	test("apply until the call has settled, even if they are released before", async () => {
		const clock = new FakeClock();
		const bounds = boundsOf(clock, 1_000);
		const { promise, resolve } = Promise.withResolvers<void>();
		const run = bounds.run(() => promise);
		bounds.hold()();
		expect(clock.pending).toBe(1);
		resolve();
		await run;
		expect(clock.pending).toBe(0);
	});

	test("leave no timer behind when the call is cancelled, even if they are held", async () => {
		const clock = new FakeClock();
		const abort = new AbortController();
		const bounds = boundsOf(clock, 60_000, { signal: abort.signal });
		bounds.hold();
		await bounds.run(async () => {});
		abort.abort();
		await clock.advance(0);
		expect(clock.pending).toBe(0);
	});

	test("turn any thrown error into a ConnectError, and cancel what is still under way", async () => {
		const bounds = boundsOf(new FakeClock());
		const thrown = new Error("slipped");
		await expect(
			bounds.run(() => {
				throw thrown;
			}),
		).rejects.toMatchObject({ code: Code.Unknown, cause: thrown });
		await settled();
		expect(bounds.signal.aborted).toBe(true);
	});
});

describe("messages within the bounds of a call", () => {
	async function all(messages: AsyncIterable<unknown>): Promise<void> {
		for await (const _ of messages);
	}

	async function* one(): AsyncGenerator<number> {
		yield 1;
		await never();
	}

	test("are not waited for after the deadline", async () => {
		const clock = new FakeClock();
		const messages = boundedMessages(boundsOf(clock, 1_000), one());
		const iterator = messages[Symbol.asyncIterator]();
		expect(await iterator.next()).toEqual({ done: false, value: 1 });
		const failed = expect(iterator.next()).rejects.toMatchObject({
			code: Code.DeadlineExceeded,
			rawMessage: "the deadline of 1 s passed",
		});
		await clock.advance(1_000);
		await failed;
		expect(clock.pending).toBe(0);
	});

	test("are bounded even after the response has come", async () => {
		const clock = new FakeClock();
		const bounds = boundsOf(clock, 1_000);
		const ended = bounds.hold();
		await bounds.run(async () => 7);
		ended();
		expect(clock.pending).toBe(0);
		const messages = boundedMessages(bounds, one());
		const failed = expect(all(messages)).rejects.toMatchObject({
			code: Code.DeadlineExceeded,
		});
		await settled();
		await clock.advance(1_000);
		await failed;
		expect(bounds.signal.aborted).toBe(true);
	});

	test("fail if they are asked for after the deadline and hang", async () => {
		const clock = new FakeClock();
		const messages = boundedMessages(boundsOf(clock, 1_000), one());
		await clock.advance(1_000);
		const iterator = messages[Symbol.asyncIterator]();
		await iterator.next();
		const failed = expect(iterator.next()).rejects.toMatchObject({
			code: Code.DeadlineExceeded,
		});
		await clock.advance(0);
		await failed;
	});

	test("may fail with their own error when the signal fires", async () => {
		const clock = new FakeClock();
		const bounds = boundsOf(clock, 1_000);
		const messages = boundedMessages(bounds, {
			[Symbol.asyncIterator]: () => ({
				next: () =>
					new Promise<never>((_resolve, reject) => {
						bounds.signal.addEventListener("abort", () =>
							reject(new ConnectError("more", Code.Aborted)),
						);
					}),
			}),
		});
		const failed = expect(all(messages)).rejects.toMatchObject({
			rawMessage: "more",
		});
		await clock.advance(1_000);
		await failed;
	});

	test("may take their time to report a failure of the call", async () => {
		const clock = new FakeClock();
		const bounds = boundsOf(clock);
		const ended = bounds.hold();
		const gone = new ConnectError("gone", Code.NotFound);
		const messages = boundedMessages(
			bounds,
			(async function* (): AsyncGenerator<number> {
				ended(gone);
				await new Promise<void>((resolve) => clock.after(50, resolve));
				throw gone;
			})(),
		);
		const failed = expect(all(messages)).rejects.toBe(gone);
		await clock.advance(50);
		await failed;
		expect(bounds.signal.reason).toBe(gone);
	});

	test("pass on return and throw", async () => {
		const bounds = boundsOf(new FakeClock());
		const done: unknown[] = [];
		const inner = {
			next: async () => ({ done: false, value: 1 }) as const,
			return: async () => {
				done.push("return");
				return { done: true, value: undefined } as const;
			},
		};
		const iterate = (more: object) =>
			boundedMessages(bounds, {
				[Symbol.asyncIterator]: () => ({ ...inner, ...more }),
			})[Symbol.asyncIterator]();
		await iterate({}).return?.();
		const why = new Error("why");
		await expect(iterate({}).throw?.(why)).rejects.toBe(why);
		const bare = iterate({ return: undefined });
		expect(await bare.return?.()).toEqual({ done: true, value: undefined });
		const thrown = iterate({
			throw: async (error: unknown) => {
				done.push(error);
				throw error;
			},
		});
		await expect(thrown.throw?.(why)).rejects.toBe(why);
		expect(done).toEqual(["return", "return", why]);
	});
});

describe("the error of a cancelled call", () => {
	test("is CANCELED, with the reason", () => {
		const reason = new Error("enough");
		expect(cancelled(reason)).toMatchObject({
			code: Code.Canceled,
			rawMessage: "the call was cancelled: enough",
			cause: reason,
		});
		expect(cancelled(undefined, "gone").rawMessage).toBe("gone");
		const other = new ConnectError("lost", Code.NotFound);
		expect(cancelled(other)).toMatchObject({ code: Code.Canceled });
	});

	test("is DEADLINE_EXCEEDED for a deadline or a timeout", () => {
		const deadline = new ConnectError("late", Code.DeadlineExceeded);
		expect(cancelled(deadline)).toBe(deadline);
		const timeout = new DOMException("late", "TimeoutError");
		expect(cancelled(timeout).code).toBe(Code.DeadlineExceeded);
	});
});
