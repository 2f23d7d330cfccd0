import { expect, test, vi } from "vitest";
import { ResponsePump } from "./response-pump.ts";

/** A call that has room for so many responses, and notes what it is told. */
function sink(room = Number.POSITIVE_INFINITY) {
	const sent: unknown[] = [];
	const sink = {
		takesResponses: true,
		room,
		sent,
		sendResponse: (response: unknown): boolean => {
			sent.push(response);
			sink.room -= 1;
			return sink.room > 0;
		},
		responsesEnded: vi.fn(() => {
			sink.takesResponses = false;
		}),
		responsesFailed: vi.fn((_error: unknown) => {
			sink.takesResponses = false;
		}),
	};
	return sink;
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("sends what an array holds at once, and then ends the call", () => {
	const call = sink();
	new ResponsePump(call).start([1, 2, 3]);
	expect(call.sent).toEqual([1, 2, 3]);
	expect(call.responsesEnded).toHaveBeenCalledTimes(1);
});

test("sends what a generator yields, also one that is promised", async () => {
	const call = sink();
	async function* responses() {
		yield 1;
		await settled();
		yield 2;
	}
	new ResponsePump(call).start(Promise.resolve(responses()));
	await vi.waitFor(() => expect(call.responsesEnded).toHaveBeenCalledTimes(1));
	expect(call.sent).toEqual([1, 2]);
});

test.each([
	["an array", [1, 2, 3, 4]],
	[
		"a generator",
		(async function* () {
			yield* [1, 2, 3, 4];
		})(),
	],
])("asks %s for no more while there is no room", async (_, responses) => {
	const call = sink(2);
	const pump = new ResponsePump(call);
	pump.start(responses);
	await settled();
	expect(call.sent).toEqual([1, 2]);
	call.room = 10;
	pump.proceed();
	await settled();
	expect(call.sent).toEqual([1, 2, 3, 4]);
	expect(call.responsesEnded).toHaveBeenCalledTimes(1);
	expect(call.responsesFailed).not.toHaveBeenCalled();
});

test("lets a generator clean up when the call is over, and tells of what fails then", async () => {
	const call = sink(1);
	const failure = new Error("cleanup");
	const pump = new ResponsePump(call);
	async function* responses() {
		try {
			yield 1;
			yield 2;
		} finally {
			// biome-ignore lint/correctness/noUnsafeFinally: that is the case
			throw failure;
		}
	}
	pump.start(responses());
	await settled();
	call.takesResponses = false;
	pump.stop();
	pump.stop();
	await settled();
	expect(call.sent).toEqual([1]);
	expect(call.responsesFailed.mock.calls).toEqual([[failure]]);
	expect(call.responsesEnded).not.toHaveBeenCalled();
});

test("lets a generator clean up when a response could not be sent", async () => {
	const call = sink();
	const cleaned = vi.fn();
	call.sendResponse = () => {
		call.takesResponses = false;
		return true;
	};
	async function* responses() {
		try {
			for (;;) yield 1;
		} finally {
			cleaned();
		}
	}
	new ResponsePump(call).start(responses());
	await settled();
	expect(cleaned).toHaveBeenCalledTimes(1);
});

test("fails the call with what the iteration throws, and if there is nothing to iterate over", async () => {
	const failure = new Error("mine");
	const throwing = sink();
	new ResponsePump(throwing).start({
		[Symbol.asyncIterator]: () => ({
			next: () => {
				throw failure;
			},
		}),
	});
	await settled();
	expect(throwing.responsesFailed).toHaveBeenCalledWith(failure);
	const nothing = sink();
	new ResponsePump(nothing).start(undefined);
	await settled();
	expect(nothing.responsesFailed).toHaveBeenCalledWith(expect.any(TypeError));
});
