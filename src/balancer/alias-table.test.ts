import { expect, test } from "vitest";
import { AliasTable } from "./alias-table.ts";

test.each([
	[[1]],
	[[1, 1, 1]],
	[[3, 1]],
	[[0.001, 1000]],
	[[1, 2, 3, 4, 5, 6, 7]],
	[[1e9, ...Array<number>(50).fill(1)]],
])("draws %j by weight", (weights) => {
	const table = new AliasTable(weights);
	const sum = weights.reduce((a, b) => a + b);
	const draws = 100_000;
	const drawn = weights.map(() => 0);
	for (let i = 0; i < draws; i++) {
		const index = table.draw((i + 0.5) / draws);
		drawn[index] = (drawn[index] as number) + 1;
	}
	for (const [index, weight] of weights.entries()) {
		const share = (drawn[index] as number) / draws;
		expect(share).toBeCloseTo(weight / sum, 3);
	}
});
