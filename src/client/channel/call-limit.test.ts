import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { OptionError } from "../../checks/option-error.ts";
import { CallLimit, callLimitOf, type QueuedCall } from "./call-limit.ts";

/** A limit, and the names of the calls whose turn came, in order. */
class Calls {
	readonly limit: CallLimit;
	readonly gone: string[] = [];

	constructor(maxConcurrent: number, maxQueued?: number) {
		this.limit = new CallLimit(maxConcurrent, maxQueued);
	}

	/** "now", "queued" or "refused", for each. */
	admit(...names: string[]): string[] {
		return names.map((name) => {
			const admission = this.limit.admit(() => this.gone.push(name));
			return typeof admission === "string" ? admission : "queued";
		});
	}

	queue(name: string, go: () => void = () => {}): QueuedCall {
		const admission = this.limit.admit(() => {
			this.gone.push(name);
			go();
		});
		if (typeof admission === "string") throw new Error(admission);
		return admission;
	}

	end(count: number): void {
		for (let n = 0; n < count; n += 1) this.limit.ended();
	}
}

describe("the limit", () => {
	test("lets so many calls go at once, queues more, and refuses the rest", () => {
		const calls = new Calls(2, 1);
		expect(calls.admit("a", "b", "c", "d")).toEqual([
			"now",
			"now",
			"queued",
			"refused",
		]);
		expect(calls.gone).toEqual([]);
		expect([calls.limit.inFlight, calls.limit.waiting]).toEqual([2, 1]);
	});

	test("lets a call go at once again when another has ended", () => {
		const calls = new Calls(1, 0);
		calls.admit("a");
		expect(calls.admit("b")).toEqual(["refused"]);
		calls.end(1);
		expect(calls.admit("b")).toEqual(["now"]);
	});

	test("queues as many calls as may be in flight, unless told otherwise", () => {
		const calls = new Calls(2);
		expect(calls.admit("a", "b", "c", "d", "e").slice(2)).toEqual([
			"queued",
			"queued",
			"refused",
		]);
	});

	test("refuses with RESOURCE_EXHAUSTED, and says what to do", () => {
		const error = new CallLimit(10, 5).refusal();
		expect(error.code).toBe(Code.ResourceExhausted);
		expect(error.rawMessage).toBe(
			"this channel has its maxConcurrentCalls (10) in flight, and maxQueuedCalls (5) waiting; call less at once, or raise the limit",
		);
		expect(new CallLimit(1, 0).refusal().rawMessage).toMatch(
			"maxConcurrentCalls (1) in flight; call less",
		);
	});
});

describe("the queue", () => {
	test("is first come, first served: a call that ends admits the next", () => {
		const calls = new Calls(2, 10);
		calls.admit("a", "b", "c", "d", "e");
		calls.end(1);
		expect(calls.gone).toEqual(["c"]);
		calls.end(2);
		expect(calls.gone).toEqual(["c", "d", "e"]);
		expect([calls.limit.inFlight, calls.limit.waiting]).toEqual([2, 0]);
		calls.end(2);
		expect(calls.limit.inFlight).toBe(0);
	});

	test("is left by a call that gives up, and its place is free", () => {
		const calls = new Calls(1, 3);
		calls.admit("a");
		const [b, c, d] = ["b", "c", "d"].map((name) => calls.queue(name));
		c?.leave();
		expect(calls.limit.waiting).toBe(2);
		expect(calls.admit("e", "f")).toEqual(["queued", "refused"]);
		b?.leave();
		d?.leave();
		calls.end(1);
		expect(calls.gone).toEqual(["e"]);
	});

	test("can be left once, and not after one's turn", () => {
		const calls = new Calls(1, 3);
		calls.admit("a");
		const [b, c] = ["b", "c"].map((name) => calls.queue(name));
		calls.queue("d");
		c?.leave();
		c?.leave();
		expect(calls.limit.waiting).toBe(2);
		calls.end(1);
		b?.leave();
		expect([calls.limit.inFlight, calls.limit.waiting]).toEqual([1, 1]);
		calls.end(1);
		expect(calls.gone).toEqual(["b", "d"]);
	});

	test("works on after all have left it", () => {
		const calls = new Calls(1, 2);
		calls.admit("a");
		calls.queue("b").leave();
		calls.end(1);
		expect(calls.limit.inFlight).toBe(0);
		expect(calls.admit("c", "d")).toEqual(["now", "queued"]);
		calls.end(1);
		expect(calls.gone).toEqual(["d"]);
	});

	test("lets nobody overtake those that wait", () => {
		const calls = new Calls(1, 3);
		calls.admit("a");
		let late: unknown;
		calls.queue("b", () => {
			// It ends at once, and makes a call of its own.
			calls.limit.ended();
			late = calls.admit("late");
		});
		calls.queue("c");
		calls.end(1);
		expect(late).toEqual(["queued"]);
		calls.end(1);
		expect(calls.gone).toEqual(["b", "c", "late"]);
	});

	test("does not grow the stack with calls that end in their turn", () => {
		const calls = new Calls(1, 100_000);
		calls.admit("first");
		for (let n = 0; n < 100_000; n += 1) {
			calls.queue("next", () => calls.limit.ended());
		}
		calls.end(1);
		expect(calls.gone).toHaveLength(100_000);
		expect([calls.limit.inFlight, calls.limit.waiting]).toEqual([0, 0]);
	});
});

describe("the options", () => {
	test("ask for no limit by default", () => {
		expect(callLimitOf({})).toBeUndefined();
	});

	test("give the limit and the queue", () => {
		const limit = callLimitOf({ maxConcurrentCalls: 1, maxQueuedCalls: 0 });
		expect(limit?.admit(() => {})).toBe("now");
		expect(limit?.admit(() => {})).toBe("refused");
		const queuing = callLimitOf({ maxConcurrentCalls: 1 });
		queuing?.admit(() => {});
		expect(queuing?.admit(() => {})).toBeTypeOf("object");
		expect(queuing?.admit(() => {})).toBe("refused");
	});

	test("a queue without a limit is refused", () => {
		expect(() => callLimitOf({ maxQueuedCalls: 5 })).toThrow(OptionError);
		expect(() => callLimitOf({ maxQueuedCalls: 5 })).toThrow(
			/^maxQueuedCalls: .* set maxConcurrentCalls/,
		);
	});
});
