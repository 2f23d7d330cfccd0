import { expect, test } from "vitest";
import { type Life, ShortLives } from "./short-lives.ts";

function life(
	hasServed: boolean,
	openCalls = 0,
	isRetired = false,
): Life & { hasServed: boolean } {
	return { hasServed, isRetired, connection: { openCalls } };
}

const served = (): Life => life(true);
const fruitless = (): Life => life(false);

test("connections that have served may end, however many of them do", () => {
	const lives = new ShortLives();
	for (let i = 0; i < 100; i++) expect(lives.lost(served())).toBe(false);
});

test("the second in a row that has not served is one too many, and so are those after it", () => {
	const lives = new ShortLives();
	expect([1, 2, 3].map(() => lives.lost(fruitless()))).toEqual([
		false,
		true,
		true,
	]);
});

test("one that has served starts over", () => {
	const lives = new ShortLives();
	lives.lost(fruitless());
	lives.lost(served());
	expect(lives.lost(fruitless())).toBe(false);
});

test("one that this side has retired says nothing of its peer", () => {
	const lives = new ShortLives();
	for (let i = 0; i < 10; i++) {
		expect(lives.lost(life(false, 0, true))).toBe(false);
	}
});

test("one that ends while it has calls may yet answer them: it counts when it is gone, if it has not", () => {
	const lives = new ShortLives();
	const [first, second] = [life(false, 1), life(false, 1)];
	expect([first, second].map((one) => lives.lost(one))).toEqual([false, false]);
	lives.closed(first);
	lives.closed(second);
	expect(lives.lost(life(false, 1))).toBe(true);
});

test("one that answers its calls as it ends has served", () => {
	const lives = new ShortLives();
	for (let i = 0; i < 10; i++) {
		const ending = life(false, 1);
		expect(lives.lost(ending)).toBe(false);
		ending.hasServed = true;
		lives.closed(ending);
	}
});
