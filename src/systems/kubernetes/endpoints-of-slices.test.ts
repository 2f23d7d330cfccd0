import { describe, expect, test } from "vitest";
import {
	type SliceObject,
	slice,
} from "../../../testdata/harness/slice-object.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import { readSlice } from "./endpoint-slice.ts";
import { endpointsOfSlices } from "./endpoints-of-slices.ts";

function found(slices: readonly SliceObject[], port?: number | string) {
	return endpointsOfSlices(slices.map(readSlice), {
		service: "payment",
		namespace: "shop",
		port,
	});
}

/** Returns the endpoints of all families, in order. */
function addresses(slices: readonly SliceObject[], port?: number | string) {
	return [...found(slices, port).values()].flat().map(({ address }) => address);
}

function failure(
	slices: readonly SliceObject[],
	port?: number | string,
): string {
	try {
		return `went well: ${addresses(slices, port)}`;
	} catch (error) {
		const { problem, message } = error as DiscoveryError;
		return `${problem}: ${message}`;
	}
}

const at = (address: string, conditions?: object) => ({
	addresses: [address],
	...(conditions && { conditions }),
});

describe("an endpoint", () => {
	test("has its zone, its pod and its node", () => {
		const full = {
			addresses: ["10.1.0.1", "10.1.0.2"],
			conditions: { ready: true, serving: true, terminating: false },
			hostname: "payment-0",
			zone: "eu-1a",
			nodeName: "node-7",
			targetRef: { kind: "Pod", name: "payment-0", namespace: "shop" },
			hints: { forZones: [{ name: "eu-1b" }] },
		};
		expect(found([slice("a", [full, "10.1.0.3"])])).toEqual(
			new Map([
				[
					"v4",
					[
						{
							address: "10.1.0.1:50051",
							zone: "eu-1a",
							attributes: { pod: "payment-0", node: "node-7" },
						},
						{ address: "10.1.0.3:50051" },
					],
				],
			]),
		);
	});

	test.each([
		["not there at all", undefined, true],
		["empty", {}, true],
		["ready", { ready: true }, true],
		["of null", { ready: null, serving: null, terminating: null }, true],
		["not ready", { ready: false }, false],
		[
			"serving, but terminating",
			{ ready: false, serving: true, terminating: true },
			false,
		],
		// publishNotReadyAddresses makes all of them ready.
		[
			"ready though terminating",
			{ ready: true, serving: true, terminating: true },
			true,
		],
	])("is used or not by its conditions: %s", (_, conditions, used) => {
		const slices = [slice("a", ["10.1.0.9", at("10.1.0.1", conditions)])];
		expect(addresses(slices).includes("10.1.0.1:50051")).toBe(used);
	});

	test("that is terminating but still serves is used if none is ready in any slice", () => {
		const draining = at("10.1.0.1", {
			ready: false,
			serving: true,
			terminating: true,
		});
		const ended = at("10.1.0.2", {
			ready: false,
			serving: false,
			terminating: true,
		});
		// No real pod has these conditions: a pod that serves and is not terminating is ready.
		const strange = at("10.1.0.5", { ready: false, serving: true });
		const starting = at("10.1.0.3", {
			ready: false,
			serving: false,
			terminating: false,
		});
		expect(
			addresses([
				slice("a", [draining, ended]),
				slice("b", [starting, strange]),
			]),
		).toEqual(["10.1.0.1:50051"]);
		expect(
			addresses([slice("a", [draining]), slice("b", ["10.1.0.4"])]),
		).toEqual(["10.1.0.4:50051"]);
	});

	test("in two slices counts once, and is ready if it is ready in one of them", () => {
		const slices = [
			slice("a", ["10.1.0.1", at("10.1.0.2", { ready: false })]),
			slice("b", ["10.1.0.2", "10.1.0.1"]),
		];
		expect(addresses(slices)).toEqual(["10.1.0.1:50051", "10.1.0.2:50051"]);
	});

	test("with an IPv6 address belongs to the other family", () => {
		const slices = [
			slice("a", ["10.1.0.1"]),
			slice("b", ["2001:db8::1"], { addressType: "IPv6" }),
		];
		expect(found(slices)).toEqual(
			new Map([
				["v4", [{ address: "10.1.0.1:50051" }]],
				["v6", [{ address: "[2001:db8::1]:50051" }]],
			]),
		);
	});
});

describe("the port", () => {
	const two = slice("a", ["10.1.0.1"], {
		ports: [
			{ name: "grpc", port: 50051, protocol: "TCP" },
			{ name: "metrics", port: 9090 },
			{ name: "dns", port: 53, protocol: "UDP" },
		],
	});
	const other = slice("b", ["10.1.0.2"], {
		ports: [{ name: "grpc", port: 50052 }],
	});
	const unnamed = slice("a", ["10.1.0.1"], {
		ports: [{ name: "", port: 8080 }],
	});

	test.each([
		["the only one", [unnamed], undefined, ["10.1.0.1:8080"]],
		["one by its number", [two], 9090, ["10.1.0.1:9090"]],
		["one by its name", [two], "metrics", ["10.1.0.1:9090"]],
		[
			"one by its name, though pods differ",
			[two, other],
			"grpc",
			["10.1.0.1:50051", "10.1.0.2:50052"],
		],
		["only of the pods that have it", [two, other], 50052, ["10.1.0.2:50052"]],
		[
			"any, where a headless Service names none",
			[slice("a", ["10.1.0.1"], { ports: null })],
			7,
			["10.1.0.1:7"],
		],
		[
			"any, where one without a number says so",
			[slice("a", ["10.1.0.1"], { ports: [{ name: "all" }] })],
			7,
			["10.1.0.1:7"],
		],
	])("is %s", (_, slices, port, expected) => {
		expect(addresses(slices, port)).toEqual(expected);
	});

	test.each([
		[
			"several, and none is asked for",
			[two],
			undefined,
			"unknownService: service payment.shop has several ports: name one, as in kubernetes:///payment.shop:grpc; they are grpc (50051), metrics (9090)",
		],
		[
			"of a name that there is not",
			[two],
			"http",
			"unknownService: service payment.shop has no port http: EndpointSlices hold the ports of pods (a Service's targetPort), and its TCP ports are grpc (50051), metrics (9090)",
		],
		[
			"of a number that there is not",
			[unnamed],
			80,
			"has no port 80: EndpointSlices hold the ports of pods (a Service's targetPort), and its TCP ports are 8080",
		],
		["of UDP", [two], 53, "has no port 53"],
		[
			"none at all",
			[slice("a", ["10.1.0.1"], { ports: [] })],
			undefined,
			"unknownService: service payment.shop has no TCP port: give the number of the port",
		],
		[
			"one without a number",
			[slice("a", ["10.1.0.1"], { ports: [{ name: "all" }] })],
			undefined,
			"has no port with a number",
		],
	])("is %s, and the error says so", (_, slices, port, words) => {
		expect(failure(slices, port)).toContain(words);
	});

	test("is not looked for if there are no endpoints", () => {
		expect(failure([slice("a", [], { ports: null })])).toMatch(
			/^noHealthyInstance/,
		);
	});
});

describe("an error for a service without endpoints", () => {
	test('is "unknownService" without a slice', () => {
		expect(failure([])).toBe(
			"unknownService: no EndpointSlice in namespace shop has the label kubernetes.io/service-name=payment: check that there is a Service of that name, and that it has a selector",
		);
	});

	test.each([
		[
			[],
			"service payment.shop has no endpoints: check that pods match its selector",
		],
		[
			[at("10.1.0.1", { ready: false })],
			"service payment.shop has an endpoint, which is not ready: check the readiness probes of its pods",
		],
		[
			[
				at("10.1.0.1", { ready: false }),
				at("10.1.0.2", { ready: false, serving: false, terminating: true }),
			],
			"service payment.shop has 2 endpoints, none of them ready: check the readiness probes of its pods",
		],
	])('is "noHealthyInstance" with a slice', (endpoints, words) => {
		expect(failure([slice("a", endpoints)])).toBe(
			`noHealthyInstance: ${words}`,
		);
	});
});
