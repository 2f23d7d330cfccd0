import { describe, expect, test } from "vitest";
import { FakeClock, settled } from "../../../testdata/harness/fake-clock.ts";
import type {
	Resolution,
	ResolveContext,
	Resolver,
} from "../../discovery/resolver.ts";
import { ResolutionWatch } from "./resolution-watch.ts";

interface Watched {
	readonly clock: FakeClock;
	readonly watch: ResolutionWatch;
	/** What the channel heard: addresses, or the words of an error. */
	readonly heard: string[];
	/** The contexts that the resolver was called with. */
	readonly contexts: ResolveContext[];
}

/** Watches a resolver that does as told, once a call; the last one is used for all further calls. */
function watched(
	...watches: ((context: ResolveContext) => AsyncIterable<Resolution>)[]
): Watched {
	const clock = new FakeClock();
	const heard: string[] = [];
	const contexts: ResolveContext[] = [];
	const resolver: Resolver = {
		watch(context) {
			const next = watches[Math.min(contexts.length, watches.length - 1)];
			contexts.push(context);
			return (next as (typeof watches)[number])(context);
		},
	};
	const watch = new ResolutionWatch(resolver, clock, () => 0.5, {
		resolved: ({ endpoints }) =>
			heard.push(endpoints.map(({ address }) => address).join()),
		failed: (error) => heard.push(`failed: ${error.message}`),
		reported: (error) => heard.push(`reported: ${error.message}`),
	});
	return { clock, watch, heard, contexts };
}

function to(...addresses: string[]): Resolution {
	return { endpoints: addresses.map((address) => ({ address })) };
}

const never = new Promise<void>(() => {});

async function* yields(...resolutions: Resolution[]) {
	yield* resolutions;
}

async function* fails(): AsyncGenerator<Resolution> {
	yield* [];
	throw new Error("no answer");
}

test("each state of the world is told, in order", async () => {
	const { heard } = watched(async function* () {
		yield to("a:1");
		yield to("a:1", "b:1");
		await never;
	});
	await settled();
	expect(heard).toEqual(["a:1", "a:1,b:1"]);
});

describe("a resolver that throws", () => {
	test("is asked again after a backoff that grows, and does not otherwise end", async () => {
		const { clock, heard, contexts } = watched(fails);
		await settled();
		expect(heard).toEqual(["failed: no answer"]);
		await clock.advance(999);
		expect(contexts).toHaveLength(1);
		await clock.advance(1);
		expect(contexts).toHaveLength(2);
		await clock.advance(1599);
		expect(contexts).toHaveLength(2);
		await clock.advance(1);
		expect(contexts).toHaveLength(3);
	});

	test("is asked again after 30 s at most, however often it has thrown", async () => {
		const { clock, contexts } = watched(...Array(12).fill(fails));
		await clock.advance(1000 * ((1.6 ** 8 - 1) / 0.6) + 1);
		expect(contexts).toHaveLength(9);
		await clock.advance(30_000);
		expect(contexts).toHaveLength(10);
		await clock.advance(30_000);
		expect(contexts).toHaveLength(11);
	});

	test("begins with a short backoff again once it has answered", async () => {
		const { clock, contexts } = watched(
			fails,
			fails,
			async function* () {
				yield to("a:1");
				throw new Error("lost");
			},
			() => yields(),
		);
		await clock.advance(1000 + 1600);
		expect(contexts).toHaveLength(3);
		await clock.advance(1000);
		expect(contexts).toHaveLength(4);
	});

	test("with no Error, or before its first step, is the same", async () => {
		const { heard } = watched(() => {
			throw "text";
		});
		await settled();
		expect(heard).toEqual(["failed: text"]);
	});
});

describe("a resolver that yields what is no resolution", () => {
	const good = { address: "a:1" };
	test.each<[unknown, string]>([
		[undefined, "resolution: undefined is not an object"],
		[["a:1"], "resolution: a list is not an object"],
		[{}, "resolution.endpoints: undefined is not a list"],
		[{ endpoints: "a:1" }, 'resolution.endpoints: "a:1" is not a list'],
		[{ endpoints: [good, 5] }, "resolution.endpoints[1]: 5 is not an object"],
		[
			{ endpoints: [{ address: [] }] },
			"resolution.endpoints[0].address: an empty list is not an address",
		],
		[
			{ endpoints: [{ ...good, weight: Number.NaN }] },
			"resolution.endpoints[0].weight: NaN is not a weight",
		],
	])(
		"is told so, and asked again after a backoff (%j)",
		async (yielded, problem) => {
			const { clock, heard, contexts } = watched(() =>
				yields(yielded as Resolution),
			);
			await settled();
			expect(heard).toEqual([expect.stringContaining(`failed: ${problem}`)]);
			await clock.advance(1000 + 1599);
			expect(contexts).toHaveLength(2);
			await clock.advance(1);
			expect(contexts).toHaveLength(3);
		},
	);

	test("may leave out what gets no calls", async () => {
		const { heard } = watched(() =>
			yields({ endpoints: [{ ...good, weight: 0 }, { address: "b:1" }] }),
		);
		await settled();
		expect(heard).toEqual(["b:1"]);
	});
});

describe("a resolver that returns", () => {
	test("is asked again when a connection was lost, and not before", async () => {
		const { clock, watch, heard, contexts } = watched(
			() => yields(to("a:1")),
			() => yields(to("b:1")),
		);
		await clock.advance(60_000);
		expect(contexts).toHaveLength(1);
		watch.refresh();
		await settled();
		expect(heard).toEqual(["a:1", "b:1"]);
	});

	test("is asked no more than once a second, however many connections are lost", async () => {
		const { clock, watch, contexts } = watched(() => yields(to("a:1")));
		await settled();
		for (let i = 0; i < 10; i++) {
			watch.refresh();
			await clock.advance(50);
		}
		expect(contexts).toHaveLength(1);
		await clock.advance(500);
		expect(contexts).toHaveLength(2);
		await clock.advance(60_000);
		expect(contexts).toHaveLength(2);
	});
});

test("a refresh reaches a resolver that waits for one", async () => {
	const { watch, heard } = watched(async function* (context) {
		yield to("a:1");
		await context.refresh();
		yield to("b:1");
		await context.refresh();
		yield to("c:1");
	});
	await settled();
	watch.refresh();
	await settled();
	watch.refresh();
	await settled();
	expect(heard).toEqual(["a:1", "b:1", "c:1"]);
});

test("an error that the resolver survives is reported", async () => {
	const { heard } = watched(async function* (context) {
		yield to("a:1");
		context.report?.(new Error("broken file"));
		await never;
	});
	await settled();
	expect(heard).toEqual(["a:1", "reported: broken file"]);
});

describe("stop", () => {
	test("fires the signal, and nothing is heard afterwards", async () => {
		const more = Promise.withResolvers<void>();
		const { watch, heard, contexts } = watched(async function* () {
			yield to("a:1");
			await more.promise;
			yield to("b:1");
		});
		await settled();
		watch.stop();
		expect(contexts[0]?.signal.aborted).toBe(true);
		more.resolve();
		await settled();
		expect(heard).toEqual(["a:1"]);
	});

	test("ends the iteration of a resolver that goes on yielding", async () => {
		let ended = false;
		const next = Promise.withResolvers<void>();
		const { watch } = watched(async function* () {
			try {
				yield to("a:1");
				await next.promise;
				yield to("b:1");
				await never;
			} finally {
				ended = true;
			}
		});
		await settled();
		watch.stop();
		next.resolve();
		await settled();
		expect(ended).toBe(true);
	});

	test("wakes a resolver that waits for a refresh, so that it can end", async () => {
		let woken = false;
		const { watch } = watched(async function* (context) {
			yield to("a:1");
			await context.refresh();
			woken = true;
		});
		await settled();
		watch.stop();
		await settled();
		expect(woken).toBe(true);
	});

	test.each([
		["a backoff", fails],
		["a wait for a refresh", () => yields(to("a:1"))],
	])("during %s leaves no timer, and asks no more", async (_, how) => {
		const { clock, watch, contexts } = watched(how);
		await settled();
		watch.refresh();
		await settled();
		watch.stop();
		await settled();
		expect(clock.pending).toBe(0);
		await clock.advance(600_000);
		expect(contexts).toHaveLength(1);
	});

	test("leaves an error of the resolver's end unsaid", async () => {
		const { watch, heard } = watched(async function* (context) {
			yield to("a:1");
			await context.refresh();
			throw new Error("interrupted");
		});
		await settled();
		watch.stop();
		await settled();
		expect(heard).toEqual(["a:1"]);
	});
});

describe("a long list", () => {
	const long = (): string[] =>
		Array.from({ length: 9000 }, (_, i) => `a:${i + 1}`);

	test("is read in slices, and told as a whole, as it was when it was yielded", async () => {
		const list = to(...long());
		const { clock, heard } = watched(() => yields(list));
		for (let i = 0; i < 20; i++) await Promise.resolve();
		expect(clock.pending).toBe(1);
		expect(heard).toEqual([]);
		(list.endpoints as unknown[]).length = 0;
		await clock.advance(0);
		expect(heard).toEqual([long().join()]);
	});

	test("is refused by the first bad address, wherever that is", async () => {
		const { clock, heard } = watched(() => yields(to(...long(), "a:b")));
		await clock.advance(0);
		expect(heard).toHaveLength(1);
		expect(heard[0]).toContain("resolution.endpoints[9000].address");
	});

	test("is read no further once nobody listens", async () => {
		const { clock, watch, heard } = watched(() => yields(to(...long())));
		await settled();
		watch.stop();
		await clock.advance(0);
		expect(heard).toEqual([]);
		expect(clock.pending).toBe(0);
	});
});
