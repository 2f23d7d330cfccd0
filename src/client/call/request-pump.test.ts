import type { MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import type { OrderSchema } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import type { Messages } from "./caller.ts";
import { RequestPump, type RequestSink } from "./request-pump.ts";

type Init = MessageInitShape<typeof OrderSchema>;

/** A call that notes what is sent, and has room for so many messages at a time. */
class Sink implements RequestSink<Init> {
	readonly notes: string[] = [];
	takesRequests = true;
	#room: number;
	#waiting: (() => void) | undefined;
	#refused: string | undefined;

	constructor(room = Infinity, refused?: string) {
		this.#room = room;
		this.#refused = refused;
	}

	makeRoom(): void {
		this.#room += 1;
		this.#waiting?.();
	}

	sendNext({ id }: Init): Promise<void> | undefined {
		if (id === this.#refused) throw new Error(`no ${id}`);
		this.notes.push(id as string);
		this.#room -= 1;
		if (this.#room > 0) return undefined;
		return new Promise((resolve) => {
			this.#waiting = resolve;
		});
	}

	requestsEnded(): void {
		this.notes.push("ended");
	}

	requestsFailed(error: unknown): void {
		this.notes.push(String(error));
	}
}

function pumped(
	messages: Messages<typeof OrderSchema>,
	sink: Sink,
): RequestPump<typeof OrderSchema> {
	const pump = new RequestPump(messages, sink);
	pump.start();
	return pump;
}

/** Notes when its messages are drawn, and when they are given up. */
function* drawn(notes: string[], ...ids: string[]): Generator<Init> {
	try {
		for (const id of ids) {
			notes.push(`drawn ${id}`);
			yield { id };
		}
	} finally {
		notes.push("cleaned up");
	}
}

async function* later(...ids: string[]): AsyncGenerator<Init> {
	for (const id of ids) yield { id };
}

describe("a pump of requests", () => {
	test("sends an array at once while there is room", () => {
		const sink = new Sink();
		pumped([{ id: "1" }, { id: "2" }], sink);
		expect(sink.notes).toEqual(["1", "2", "ended"]);
	});

	test("sends what an async generator yields", async () => {
		const sink = new Sink();
		pumped(later("1", "2"), sink);
		await settled();
		expect(sink.notes).toEqual(["1", "2", "ended"]);
	});

	test("draws no message before there is room for it", async () => {
		const sink = new Sink(1);
		pumped(drawn(sink.notes, "1", "2"), sink);
		await settled();
		expect(sink.notes).toEqual(["drawn 1", "1"]);
		sink.makeRoom();
		await settled();
		expect(sink.notes).toEqual(["drawn 1", "1", "drawn 2", "2"]);
	});

	test("lets the messages clean up when it is stopped, once", async () => {
		const sink = new Sink(1);
		const pump = pumped(drawn(sink.notes, "1", "2"), sink);
		sink.takesRequests = false;
		pump.stop();
		pump.stop();
		sink.makeRoom();
		await settled();
		expect(sink.notes).toEqual(["drawn 1", "1", "cleaned up"]);
	});

	test("asks for nothing if the call is over before it starts", async () => {
		const sink = new Sink();
		sink.takesRequests = false;
		pumped(drawn(sink.notes, "1"), sink);
		await settled();
		// A generator that has not begun has nothing to clean up.
		expect(sink.notes).toEqual([]);
	});

	test("tells of a message that cannot be sent, and lets the messages clean up", () => {
		const sink = new Sink(Infinity, "2");
		pumped(drawn(sink.notes, "1", "2", "3"), sink);
		expect(sink.notes).toEqual([
			"drawn 1",
			"1",
			"drawn 2",
			"Error: no 2",
			"cleaned up",
		]);
	});

	test("tells of messages that throw, and does not ask them to clean up", async () => {
		const sink = new Sink();
		const notes: string[] = [];
		pumped(
			{
				[Symbol.iterator]: () => ({
					next: () => {
						throw new Error("broken");
					},
					return: () => {
						notes.push("cleaned up");
						return { done: true, value: undefined };
					},
				}),
			},
			sink,
		);
		await settled();
		expect(sink.notes).toEqual(["Error: broken"]);
		expect(notes).toEqual([]);
	});

	test("ignores what messages throw while they clean up", async () => {
		const sink = new Sink(1);
		const pump = pumped(
			(function* () {
				try {
					yield { id: "1" };
					yield { id: "2" };
				} finally {
					// biome-ignore lint/correctness/noUnsafeFinally: it is what users may write.
					throw new Error("while cleaning up");
				}
			})(),
			sink,
		);
		sink.takesRequests = false;
		pump.stop();
		await settled();
		expect(sink.notes).toEqual(["1"]);
	});

	test("tells of what is nothing to iterate over", () => {
		const sink = new Sink();
		pumped(7 as never, sink);
		expect(sink.notes).toEqual([
			"TypeError: 7 is nothing to iterate over; give an array or a generator of messages",
		]);
	});
});
