import { describe, expect, test } from "vitest";
import { type Duration, parseDuration } from "./duration.ts";
import { OptionError } from "./option-error.ts";
import {
	anything,
	boolean,
	type Check,
	callable,
	checkOptions,
	either,
	integer,
	listOf,
	mapOf,
	type OptionTable,
	oneOf,
	optionsOf,
	record,
	text,
} from "./option-table.ts";

interface Keepalive {
	time: Duration;
	withoutCalls?: boolean | undefined;
}
interface Options {
	timeout?: Duration | undefined;
	authority?: string | undefined;
	keepalive?: Keepalive | undefined;
	interceptors?: readonly unknown[] | undefined;
	tls?: boolean | object | (() => object) | undefined;
	methods?: Record<string, { timeout?: Duration }> | undefined;
}

const table: OptionTable<Options> = {
	timeout: parseDuration,
	authority: text,
	keepalive: optionsOf<Keepalive>({
		time: { required: parseDuration },
		withoutCalls: boolean,
	}),
	interceptors: listOf(callable),
	tls: either<unknown>(
		"true, false, an object or a function",
		boolean,
		record,
		callable,
	),
	methods: mapOf(optionsOf<{ timeout?: Duration }>({ timeout: parseDuration })),
};

test("options that fit the table are accepted, and undefined counts as absent", () => {
	expect(() =>
		checkOptions(
			{
				timeout: "2s",
				authority: undefined,
				keepalive: { time: 1000 },
				interceptors: [() => {}],
				tls: () => ({}),
				methods: { create: { timeout: 5 }, other: undefined },
			},
			table,
		),
	).not.toThrow();
	expect(() => checkOptions({}, table)).not.toThrow();
	expect(() => checkOptions(Object.create(null), table)).not.toThrow();
});

test.each<[string, unknown, string | RegExp]>([
	["no object", null, "options: null is not an object"],
	["a list", [], "options: an empty list is not an object"],
	[
		"a misspelled key",
		{ timeOut: 5 },
		"timeOut: is not an option; did you mean timeout?",
	],
	[
		"an unknown key, even if undefined",
		{ colour: undefined },
		"colour: is not an option; the options here are timeout, authority, keepalive, interceptors, tls, methods",
	],
	[
		"an inherited name of Object",
		{ constructor: 1 },
		/^constructor: is not an option/,
	],
	["a bad value", { timeout: "2" }, /^timeout: "2" is not a duration/],
	["an empty string", { authority: "" }, /^authority: "" is not a string/],
	[
		"a nested unknown key",
		{ keepalive: { time: 1, withoutcalls: true } },
		"keepalive.withoutcalls: is not an option; did you mean withoutCalls?",
	],
	[
		"a required key that is absent",
		{ keepalive: {} },
		"keepalive.time: is missing",
	],
	[
		"a bad item of a list",
		{ interceptors: [() => {}, 7] },
		"interceptors[1]: 7 is not a function",
	],
	[
		"none of several forms",
		{ tls: "yes" },
		'tls: "yes" is not true, false, an object or a function',
	],
	[
		"a bad value in a map",
		{ methods: { create: { timeout: -1 } } },
		/^methods\.create\.timeout: -1 is not a duration/,
	],
])("%s throws a TypeError that names the key", (_, options, message) => {
	expect(() => checkOptions(options, table)).toThrow(TypeError);
	expect(() => checkOptions(options, table)).toThrow(message);
});

test("the error's kind tells unknown, missing and invalid options apart", () => {
	expect(kindOf({ colour: 1 })).toBe("unknown");
	expect(kindOf({ keepalive: {} })).toBe("missing");
	expect(kindOf({ timeout: "x" })).toBe("invalid");
});

function kindOf(options: unknown): unknown {
	try {
		checkOptions(options, table);
	} catch (error) {
		return error instanceof OptionError ? error.kind : error;
	}
	return undefined;
}

test("the path in the error starts with the path that the caller gives", () => {
	expect(() => checkOptions({ timeout: -1 }, table, "call")).toThrow(
		/^call\.timeout: /,
	);
});

describe("checks", () => {
	test("integer accepts only whole numbers within its bounds", () => {
		const check = integer(1, 10);
		expect(check(1, "n")).toBe(1);
		expect(check(10, "n")).toBe(10);
		for (const bad of [0, 11, 1.5, "5", Number.NaN, 5n, null]) {
			expect(() => check(bad, "n")).toThrow(
				/^n: .* is not a whole number from 1 to 10$/,
			);
		}
		expect(() => integer(0)(-1, "n")).toThrow("that is 0 or more");
	});

	test("the error of oneOf lists its values", () => {
		const check = oneOf("gzip", "identity");
		expect(check("gzip", "c")).toBe("gzip");
		expect(() => check("br", "c")).toThrow(
			'c: "br" is not "gzip" or "identity"',
		);
	});

	test("either reports what is wrong inside a value of the right form", () => {
		const check = either<unknown>(
			"a switch",
			boolean,
			optionsOf<Keepalive>({ time: parseDuration, withoutCalls: boolean }),
		);
		expect(() => check({ time: "x" }, "k")).toThrow(/^k\.time: /);
		expect(() => check(7, "k")).toThrow("k: 7 is not a switch");
	});

	test("either rethrows what a check throws that is not an OptionError", () => {
		const faulty: Check = () => {
			throw new RangeError("bug");
		};
		expect(() => either("x", faulty, anything)(1, "k")).toThrow(RangeError);
	});

	test("mapOf keeps a key named __proto__ as an ordinary key", () => {
		const map = mapOf(boolean)(JSON.parse('{"__proto__":true}'), "m");
		expect(Object.keys(map)).toEqual(["__proto__"]);
	});
});

test("a promise of options is refused, not taken for an empty options object", () => {
	const tls = Promise.resolve({});
	expect(() => checkOptions(tls, table)).toThrow(
		new OptionError("options", "is a promise; await it"),
	);
	expect(() => record(tls, "tls")).toThrow(
		new OptionError("tls", "is a promise; await it"),
	);
});
