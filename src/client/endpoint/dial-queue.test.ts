import { expect, test } from "vitest";
import { FakeClock, settled } from "../../../testdata/harness/fake-clock.ts";
import { DialQueue, type DialRank } from "./dial-queue.ts";

/** Dials that end when the test says so. */
function dialing() {
	const clock = new FakeClock();
	const queue = new DialQueue(clock);
	const begun: string[] = [];
	const underWay = new Map<string, { succeed(): void; fail(): void }>();
	let most = 0;
	const dial = (
		name: string,
		rank: DialRank = "fresh",
		addresses = 1,
	): { abort: AbortController; end: Promise<string> } => {
		const abort = new AbortController();
		const end = queue.run<string>(
			{
				rank,
				addresses,
				dial: (signal) => {
					const { promise, resolve, reject } = Promise.withResolvers<string>();
					begun.push(name);
					const over = (): void => void underWay.delete(name);
					underWay.set(name, {
						succeed: () => {
							over();
							resolve(name);
						},
						fail: () => {
							over();
							reject(new Error(`${name} failed`));
						},
					});
					most = Math.max(most, underWay.size);
					signal.addEventListener("abort", () => {
						over();
						reject(signal.reason);
					});
					return promise;
				},
			},
			abort.signal,
			() => {},
		);
		end.catch(() => {});
		return { abort, end };
	};
	const many = (
		prefix: string,
		count: number,
		rank?: DialRank,
		addresses?: number,
	) =>
		Array.from({ length: count }, (_, i) =>
			dial(`${prefix}${i}`, rank, addresses),
		);
	return { clock, queue, begun, underWay, dial, many, most: () => most };
}

test("at most 100 are under way; the others follow in order, as room comes free", async () => {
	const { begun, underWay, many, most } = dialing();
	const all = many("a", 1000);
	expect(begun).toHaveLength(100);
	while (underWay.size > 0) {
		for (const one of [...underWay.values()].slice(0, 7)) one.succeed();
		await settled();
	}
	expect(most()).toBe(100);
	expect(begun).toEqual(all.map((_, i) => `a${i}`));
	expect(await all[999]?.end).toBe("a999");
});

test("an endpoint of several addresses takes a place for each, and one of more than 100 still has its turn", async () => {
	const { begun, underWay, many, dial } = dialing();
	many("a", 50, "fresh", 3);
	expect(begun).toHaveLength(33);
	dial("wide", "awaited", 1000);
	for (let i = 0; i < 33; i++) {
		[...underWay.values()][0]?.succeed();
		await settled();
	}
	expect(begun).toContain("wide");
});

test("one that is removed while it waits is never dialed, and one under way is given up", async () => {
	const { begun, underWay, many } = dialing();
	const all = many("a", 102);
	all[100]?.abort.abort(new Error("no longer wanted"));
	all[0]?.abort.abort(new Error("no longer wanted"));
	await settled();
	await expect(all[0]?.end).rejects.toThrow("no longer wanted");
	await expect(all[100]?.end).rejects.toThrow("no longer wanted");
	expect(begun).not.toContain("a100");
	expect(begun.at(-1)).toBe("a101");
	expect(underWay.size).toBe(100);
});

test("those that calls wait for go first, those that failed last", async () => {
	const { begun, underWay, many, dial, queue } = dialing();
	many("a", 100);
	dial("failed", "failed");
	dial("fresh");
	dial("growth", "awaited");
	queue.calling = true;
	dial("picked");
	queue.calling = false;
	begun.length = 0;
	for (let i = 0; i < 4; i++) {
		underWay.get(`a${i}`)?.succeed();
		await settled();
	}
	expect(begun).toEqual(["growth", "picked", "fresh", "failed"]);
});

test("endpoints that failed before and hang leave room to others, and are not forgotten among many", async () => {
	const { begun, underWay, many } = dialing();
	many("dead", 1000, "failed");
	expect(underWay.size).toBe(75);
	many("good", 1000);
	expect(underWay.size).toBe(100);
	for (let i = 0; i < 60; i++) {
		underWay.get(`dead${i}`)?.fail();
		await settled();
	}
	const dead = [...underWay.keys()].filter((name) => name.startsWith("dead"));
	expect(dead.length).toBeLessThanOrEqual(25);
	expect(begun).toContain("dead75");
	expect(begun).toContain("good70");
});

test("100 that hang do not keep a good one behind 1,000 from its turn: they make room, and have a full one later", async () => {
	const { clock, begun, underWay, many, dial } = dialing();
	const hanging = many("hangs", 1100);
	const good = dial("good");
	await clock.advance(999);
	expect(begun).toHaveLength(100);
	for (let second = 0; second < 15; second++) await clock.advance(1000);
	expect(begun).toContain("good");
	underWay.get("good")?.succeed();
	await settled();
	expect(await good.end).toBe("good");
	const again = [...underWay.keys()];
	expect(again.every((name) => name.startsWith("hangs"))).toBe(true);
	// Nobody waits who has not had a turn: these may take as long as they like.
	await clock.advance(4000);
	expect(again.every((name) => underWay.has(name))).toBe(true);
	underWay.get("hangs0")?.fail();
	await expect(hanging[0]?.end).rejects.toThrow("hangs0 failed");
});

test("nobody has to make room while nobody waits, and no timer is left", async () => {
	const { clock, underWay, many } = dialing();
	many("a", 100);
	await clock.advance(10_000);
	expect(underWay.size).toBe(100);
	expect(clock.pending).toBe(0);
});
