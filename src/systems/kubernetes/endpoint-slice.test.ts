import { expect, test } from "vitest";
import { slice } from "../../../testdata/harness/slice-object.ts";
import { readSlice } from "./endpoint-slice.ts";

test.each([
	[
		"an FQDN",
		{ addressType: "FQDN", endpoints: [{ addresses: ["db.example.com"] }] },
		'has addresses of type "FQDN", which are not used; use a dns: target for host names',
	],
	[
		"an address of another family",
		{ endpoints: [{ addresses: ["::1"] }] },
		'has "::1" for an IPv4 address',
	],
	[
		"no address",
		{ endpoints: [{ addresses: [] }] },
		"has undefined for an IPv4 address",
	],
	[
		"an endpoint that is none",
		{ endpoints: ["x" as never] },
		"has undefined for an IPv4 address",
	],
	[
		"a port beyond all ports",
		{ ports: [{ port: 70_000 }] },
		"has 70000 for a port",
	],
])("%s is left out and reported", (_, more, problem) => {
	const { endpoints, ports, problems } = readSlice(
		slice("a", ["10.1.0.1"], more),
	);
	expect(problems).toEqual([problem]);
	expect(endpoints.length + ports.length).toBe(1);
});

test("a list that Go writes as null is empty", () => {
	expect(
		readSlice(slice("a", [], { endpoints: null, ports: null })),
	).toMatchObject({
		endpoints: [],
		ports: [],
		problems: [],
	});
});

test.each([
	null,
	"x",
	{},
	{ metadata: { name: "a" } },
	{ metadata: {}, addressType: "IPv4" },
	{ metadata: { name: "a" }, addressType: "IPv4", endpoints: {} },
	{ metadata: { name: "a" }, addressType: "IPv4", endpoints: [], ports: "x" },
])("%j is refused as an EndpointSlice", (value) => {
	expect(() => readSlice(value)).toThrow(TypeError);
});

test("the object of an endpoint becomes an attribute under its kind", () => {
	const targetRef = { kind: "VirtualMachineInstance", name: "vm-1" };
	const { endpoints } = readSlice(
		slice("a", [{ addresses: ["10.1.0.1"], targetRef }]),
	);
	expect(endpoints[0]?.attributes).toEqual({ virtualmachineinstance: "vm-1" });
});
