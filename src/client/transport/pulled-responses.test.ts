import { describe, expect, test, vi } from "vitest";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import { PulledResponses, type PullingCall } from "./pulled-responses.ts";

interface Message {
	readonly n: number;
}

type Iteration = Partial<AsyncIterator<Message>> &
	Pick<AsyncIterator<Message>, "next">;

const trailer = new Headers({ "x-trailer": "last" });

/** The responses of an iteration, and what their call is told. Like a real call, it aborts them when they fail. */
function pulling(iteration: Iteration | Promise<never>) {
	const notes: string[] = [];
	const call: PullingCall = {
		responsesEnded: (ended) => {
			notes.push(`ended, x-trailer: ${ended.get("x-trailer")}`);
		},
		responsesFailed: (error) => {
			notes.push(`failed: ${(error as Error).message}`);
			responses.abort(error);
		},
		trailerCame: (came) => {
			notes.push(`x-trailer: ${came.get("x-trailer")}`);
		},
	};
	const response =
		iteration instanceof Promise
			? iteration
			: Promise.resolve({
					trailer,
					message: { [Symbol.asyncIterator]: () => iteration },
				});
	const responses = new PulledResponses<Message>(response, call);
	return { responses, notes };
}

/** An iteration of the messages 1 to `last`. Each step waits for a call of `step`. */
function stepwise(last: number) {
	const steps: (() => void)[] = [];
	const next = vi.fn(
		(): Promise<IteratorResult<Message>> =>
			new Promise((resolve) => {
				const n = next.mock.calls.length;
				steps.push(() =>
					resolve(
						n > last
							? { done: true, value: undefined }
							: { done: false, value: { n } },
					),
				);
			}),
	);
	const step = async (): Promise<void> => {
		steps.shift()?.();
		await settled();
	};
	return { next, step, return: vi.fn(async () => ({ done: true }) as never) };
}

describe("pulled responses", () => {
	test("are asked for one at a time, and only when somebody reads", async () => {
		const iteration = stepwise(2);
		const { responses } = pulling(iteration);
		await settled();
		expect(iteration.next).toHaveBeenCalledTimes(0);
		const reads = [responses.read(), responses.read()];
		await settled();
		expect(iteration.next).toHaveBeenCalledTimes(1);
		await iteration.step();
		expect(iteration.next).toHaveBeenCalledTimes(2);
		await iteration.step();
		expect(await Promise.all(reads)).toEqual([{ n: 1 }, { n: 2 }]);
		expect(iteration.next).toHaveBeenCalledTimes(2);
	});

	test("end all reads that wait, and every later one", async () => {
		const iteration = stepwise(1);
		const { responses, notes } = pulling(iteration);
		const reads = [responses.next(), responses.next(), responses.read()];
		await settled();
		await iteration.step();
		await iteration.step();
		expect(await Promise.all(reads)).toEqual([
			{ done: false, value: { n: 1 } },
			{ done: true, value: undefined },
			undefined,
		]);
		expect(await responses.read()).toBeUndefined();
		expect(iteration.next).toHaveBeenCalledTimes(2);
		expect(notes).toEqual(["ended, x-trailer: last", "x-trailer: last"]);
		responses.abort(new Error("late"));
		await settled();
		expect(iteration.return).not.toHaveBeenCalled();
	});

	test("that fail reject all reads, report the trailers, and are not closed", async () => {
		const left = vi.fn();
		const { responses, notes } = pulling({
			next: () => Promise.reject(new Error("broken")),
			return: left,
		});
		const reads = [responses.read(), responses.read()];
		for (const read of reads) await expect(read).rejects.toThrow("broken");
		await expect(responses.read()).rejects.toThrow("broken");
		await settled();
		expect(notes).toEqual(["failed: broken", "x-trailer: last"]);
		expect(left).not.toHaveBeenCalled();
	});

	test("are not waited for after an abort, even if they never come", async () => {
		const iteration = stepwise(1);
		const { responses, notes } = pulling(iteration);
		const read = responses.read();
		await settled();
		responses.abort(new Error("enough"));
		await expect(read).rejects.toThrow("enough");
		await settled();
		expect(iteration.return).toHaveBeenCalledOnce();
		expect(notes).toEqual(["x-trailer: last"]);
		await iteration.step();
		await expect(responses.read()).rejects.toThrow("enough");
		expect(iteration.next).toHaveBeenCalledTimes(1);
		expect(notes).toEqual(["x-trailer: last"]);
	});

	test("of a call without a response fail with its error, and have no trailers", async () => {
		const { responses, notes } = pulling(Promise.reject(new Error("refused")));
		await expect(responses.read()).rejects.toThrow("refused");
		await settled();
		expect(notes).toEqual(["failed: refused"]);
	});
});
