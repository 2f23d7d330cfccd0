import { expect, test } from "vitest";
import { readEndpoints, readWrittenEndpoints } from "./endpoints.ts";

test("endpoints may be given as addresses or as objects", () => {
	expect(
		readEndpoints(
			[
				"10.0.0.1:50051",
				{
					address: ["[0::1]:50051", "unix:x.sock"],
					weight: 2.5,
					zone: "b",
					attributes: { version: "2" },
				},
				{ address: "a:1", weight: undefined },
			],
			"endpoints",
		),
	).toEqual([
		{ address: "10.0.0.1:50051" },
		{
			address: ["[::1]:50051", "unix:x.sock"],
			weight: 2.5,
			zone: "b",
			attributes: { version: "2" },
		},
		{ address: "a:1" },
	]);
});

test("an endpoint of weight 0 is left out", () => {
	expect(
		readEndpoints([{ address: "a:1", weight: 0 }, "b:1"], "endpoints"),
	).toEqual([{ address: "b:1" }]);
});

test.each<[unknown, string]>([
	[undefined, "e: undefined is not a list"],
	[{}, "e: an object is not a list"],
	[["a"], "e[0]: has no port"],
	[["a:1", 7], "e[1]: 7 is not an object"],
	[[{}], "e[0].address: undefined is not an address"],
	[[{ address: [] }], "e[0].address: an empty list is not an address"],
	[[{ address: ["a:1", 5] }], "e[0].address[1]: 5 is not a string"],
	[[{ address: "a:b" }], 'e[0].address: port "b"'],
	[[{ address: "a:1", weight: -1 }], "e[0].weight: -1 is not a weight"],
	[[{ address: "a:1", weight: "1" }], 'e[0].weight: "1" is not a weight'],
	[[{ address: "a:1", weight: Number.NaN }], "e[0].weight: NaN is not a"],
	[[{ address: "a:1", zone: 1 }], "e[0].zone: 1 is not a string"],
	[
		[{ address: "a:1", attributes: { v: 2 } }],
		"e[0].attributes.v: 2 is not a string",
	],
])("%j is refused: %s", (list, message) => {
	expect(() => readEndpoints(list, "e")).toThrow(message);
	expect(() => readWrittenEndpoints(list, "e")).toThrow(/^e/);
});

test("an unknown key is an error only in a list that a person wrote", () => {
	const list = [{ address: "a:1", wieght: 2 }];
	expect(readEndpoints(list, "e")).toEqual([{ address: "a:1" }]);
	expect(() => readWrittenEndpoints(list, "e")).toThrow(
		"e[0].wieght: is not an option; did you mean weight?",
	);
});
