import { describe, expect, test } from "vitest";
import { OptionError } from "../../checks/option-error.ts";
import { readHealth } from "./health-entries.ts";

const service = { ID: "a1", Address: "10.0.0.1", Port: 1 };

function endpointOf(Service: object, Node: object = {}): unknown {
	const { endpoints, unusable } = readHealth([
		{ Service: { ...service, ...Service }, Node },
	]);
	return endpoints[0] ?? unusable[0];
}

describe("an instance", () => {
	test("of an old Consul with only an address is an endpoint", () => {
		expect(endpointOf({ Tags: null, Meta: null, Weights: null })).toEqual({
			address: "10.0.0.1:1",
		});
	});

	test("has the zone of its Meta, its tags, its locality, its node's Meta or its node's locality", () => {
		const node = { Meta: { zone: "n" }, Locality: { Zone: "nl" } };
		const zoneOf = (Service: object, Node: object) =>
			(endpointOf(Service, Node) as { zone?: string }).zone;
		const locality = { Locality: { Region: "r", Zone: "l" } };
		const tagged = { ...locality, Tags: ["zone:t"] };
		expect(zoneOf({ ...tagged, Meta: { zone: "m" } }, node)).toBe("m");
		expect(zoneOf(tagged, node)).toBe("t");
		expect(zoneOf(locality, node)).toBe("l");
		expect(zoneOf({}, node)).toBe("n");
		expect(zoneOf({}, { Locality: node.Locality })).toBe("nl");
		expect(zoneOf({ Locality: { Zone: "" } }, {})).toBeUndefined();
	});

	test("may have its IPv6 address in brackets", () => {
		const address = { address: "[::1]:1" };
		expect(endpointOf({ Address: "[::1]" })).toEqual(address);
		expect(endpointOf({ Address: "" }, { Address: "[::1]" })).toEqual(address);
	});

	test("keeps a weight of 0", () => {
		expect(endpointOf({ Weights: { Passing: 0 } })).toMatchObject({
			weight: 0,
		});
	});

	test("has attributes by any name", () => {
		expect(
			endpointOf({
				Meta: { __proto__x: "1" },
				Tags: ["__proto__:2", ":3", ""],
			}),
		).toMatchObject({
			attributes: JSON.parse('{ "__proto__": "2", "__proto__x": "1" }'),
		});
	});

	test("that is registered twice counts once", () => {
		const entry = { Service: service, Node: {} };
		const other = { Service: { ...service, ID: "a2" }, Node: {} };
		expect(readHealth([entry, other]).endpoints).toHaveLength(1);
	});

	test.each([
		[{ Port: 0 }, 'a1: port "0" is not a number from 1 to 65535'],
		[{ Port: 65536 }, 'a1: port "65536" is not'],
		[{ Address: "" }, "a1: names no host"],
		[{ Address: "a b" }, 'a1: "a b" is not the name or the address of a host'],
		[{ Address: "::g" }, 'a1: "::g" is not an IPv6 address'],
	])("that cannot be reached (%j) is reported: %s", (fields, why) => {
		expect(endpointOf(fields)).toMatch(why);
	});
});

test.each([
	[{}, "body: an object is not a list"],
	[undefined, "body: undefined is not a list"],
	["no", 'body: "no" is not a list'],
	[[5], "body[0]: 5 is not an object"],
	[[{}], "body[0].Service: undefined is not an object"],
	[[{ Service: [] }], "body[0].Service: an empty list is not an object"],
	[[{ Service: { Port: "1" } }], 'body[0].Service.Port: "1" is not a number'],
	[[{ Service: { Port: -1 } }], "body[0].Service.Port: -1 is not a number"],
	[[{ Service: { Address: 1 } }], "body[0].Service.Address: 1 is not a string"],
	[[{ Service: { Tags: "a" } }], 'body[0].Service.Tags: "a" is not a list'],
	[[{ Service: { Tags: [1] } }], "body[0].Service.Tags[0]: 1 is not a string"],
	[
		[{ Service: { Meta: { a: 1 } } }],
		"body[0].Service.Meta.a: 1 is not a string",
	],
	[
		[{ Service: { Weights: { Passing: "7" } } }],
		'Service.Weights.Passing: "7" is not a number',
	],
	[
		[{ Service: { Weights: { Passing: Number.POSITIVE_INFINITY } } }],
		"Service.Weights.Passing: Infinity is not a number",
	],
	[
		[{ Service: { Locality: { Zone: 1 } } }],
		"body[0].Service.Locality.Zone: 1 is not a string",
	],
	[[{ Service: {}, Node: 5 }], "body[0].Node: 5 is not an object"],
])("%j is refused as an answer: %s", (value, message) => {
	expect(() => readHealth(value)).toThrow(OptionError);
	expect(() => readHealth(value)).toThrow(message);
});
