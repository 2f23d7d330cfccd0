import { describe, expect, test } from "vitest";
import {
	methodPolicyOf,
	parseServiceConfig,
	type ServiceConfig,
} from "./service-config.ts";

const parse = (config: unknown) => parseServiceConfig(config, "serviceConfig");
const retryPolicy = {
	maxAttempts: 4,
	initialBackoff: "0.1s",
	maxBackoff: "1s",
	backoffMultiplier: 2,
	retryableStatusCodes: ["UNAVAILABLE"],
} as const;

test("an empty config sets no field", () => {
	expect(parse({})).toEqual({ methods: new Map() });
});

test("unknown fields are ignored, at every depth", () => {
	expect(
		parse({
			future: 1,
			loadBalancingPolicy: "round_robin",
			methodConfig: [
				{ name: [{ service: "a.B", extra: 1 }], timeout: "1s", future: {} },
			],
		}).methods,
	).toEqual(new Map([["a.B/", { timeoutMs: 1000 }]]));
});

describe("the policy of a method", () => {
	const config: ServiceConfig = {
		methodConfig: [
			{ name: [{}], timeout: "1s", waitForReady: true },
			{ name: [{ service: "a.B" }, { service: "a.C" }], timeout: "2s" },
			{
				name: [{ service: "a.B", method: "Get" }],
				retryPolicy,
				timeout: "3s",
			},
			{ name: [], timeout: "4s" },
		],
	};
	const of = (service: string, method: string, streaming?: boolean) =>
		methodPolicyOf(parse(config), service, method, streaming);

	test("is that of the exact name, or else of the service, or else the default", () => {
		expect(of("a.B", "Get")?.timeoutMs).toBe(3000);
		expect(of("a.B", "get")?.timeoutMs).toBe(2000);
		expect(of("a.C", "Get")?.timeoutMs).toBe(2000);
		expect(of("x.Y", "Get")?.timeoutMs).toBe(1000);
	});

	test("comes from one entry; entries are not merged", () => {
		expect(of("a.B", "Get")?.waitForReady).toBeUndefined();
		expect(of("a.B", "Other")?.attempts).toBeUndefined();
	});

	test("is undefined if no entry matches", () => {
		const narrow = parse({ methodConfig: [{ name: [{ service: "a.B" }] }] });
		expect(methodPolicyOf(narrow, "a.C", "Get")).toBeUndefined();
	});

	test("has a timeout for a streaming method only if an entry names the method", () => {
		expect(of("a.B", "Get", true)?.timeoutMs).toBe(3000);
		expect(of("a.B", "Other", true)).toEqual({});
		expect(of("x.Y", "Get", true)).toEqual({ waitForReady: true });
	});
});

describe("names", () => {
	const named = (...names: unknown[]) =>
		parse({ methodConfig: names.map((name) => ({ name })) });

	test("null and empty parts count as absent, as in proto3 JSON", () => {
		expect([...named([{ service: "", method: null }]).methods.keys()]).toEqual([
			"/",
		]);
	});

	test.each<[string, unknown[], RegExp]>([
		[
			"twice in one list",
			[[{ service: "a.B" }, { service: "a.B" }]],
			/methodConfig\[0\]\.name\[1\]: names a\.B, which an earlier name/,
		],
		[
			"twice in two entries",
			[
				[{ service: "a.B", method: "Get" }],
				[{ service: "a.B", method: "Get" }],
			],
			/methodConfig\[1\]\.name\[0\]: names a\.B\/Get/,
		],
		[
			"two defaults",
			[[{}], [{ service: "" }]],
			/methodConfig\[1\]\.name\[0\]: names the default of all methods/,
		],
		[
			"a method without a service",
			[[{ method: "Get" }]],
			/methodConfig\[0\]\.name\[0\]\.method: "Get" is given without its service/,
		],
		[
			"a service that is no string",
			[[{ service: 7 }]],
			/name\[0\]\.service: 7 is not a name/,
		],
		[
			"a path for a service",
			[[{ service: "a.B/Get" }]],
			/name\[0\]\.service: "a\.B\/Get" is not a name/,
		],
		["no list", [{ service: "a.B" }], /\.name: an object is not a list/],
		["a bare string", [["a.B"]], /name\[0\]: "a\.B" is not an object/],
	])("%s is an error", (_, names, message) => {
		expect(() => named(...names)).toThrow(message);
	});
});

describe("an invalid known field makes the whole config invalid", () => {
	test.each<[unknown, string]>([
		[null, "serviceConfig: null is not an object"],
		["{}", 'serviceConfig: "{}" is not an object'],
		[{ methodConfig: {} }, "serviceConfig.methodConfig: an object is not"],
		[
			{ methodConfig: [{ name: [{}], timeout: "1m" }] },
			"serviceConfig.methodConfig[0].timeout: ",
		],
		[
			{ methodConfig: [{ name: [], timeout: "1m" }] },
			"serviceConfig.methodConfig[0].timeout: ",
		],
		[
			{
				methodConfig: [
					{ name: [{}] },
					{ name: [], retryPolicy: { ...retryPolicy, maxAttempts: 1 } },
				],
			},
			"serviceConfig.methodConfig[1].retryPolicy.maxAttempts: 1 is too few",
		],
		[
			{
				methodConfig: [
					{ name: [], retryPolicy, hedgingPolicy: { maxAttempts: 2 } },
				],
			},
			"serviceConfig.methodConfig[0].hedgingPolicy: is given together with a retryPolicy",
		],
		[{ retryThrottling: [] }, "serviceConfig.retryThrottling: "],
		[
			{ retryThrottling: { tokenRatio: 1 } },
			"serviceConfig.retryThrottling.maxTokens: is missing",
		],
		[
			{ retryThrottling: { maxTokens: 1 } },
			"serviceConfig.retryThrottling.tokenRatio: is missing",
		],
		[
			{ loadBalancingConfig: {} },
			"serviceConfig.loadBalancingConfig: an object is not a list",
		],
		[
			{ loadBalancingConfig: [{ a: {}, b: {} }] },
			"serviceConfig.loadBalancingConfig[0]: does not name exactly one balancer",
		],
		[
			{ loadBalancingConfig: [{ a: {} }, {}] },
			"serviceConfig.loadBalancingConfig[1]: does not name exactly one balancer",
		],
		[
			{ loadBalancingConfig: [{ a: 1 }] },
			"serviceConfig.loadBalancingConfig[0].a: 1 is not an object",
		],
		[
			{ healthCheckConfig: { serviceName: 1 } },
			"serviceConfig.healthCheckConfig.serviceName: 1 is not the name",
		],
	])("%j: %s", (config, message) => {
		expect(() => parse(config)).toThrow(message);
	});
});

describe("retryThrottling", () => {
	const throttling = (maxTokens: unknown, tokenRatio: unknown) =>
		parse({ retryThrottling: { maxTokens, tokenRatio } }).retryThrottling;

	test("keeps three decimals of the ratio", () => {
		expect(throttling(10, 0.5466)).toEqual({
			maxTokens: 10,
			tokenRatio: 0.546,
		});
		expect(throttling(1000, 1.005)?.tokenRatio).toBe(1.005);
		expect(throttling("1", "0.001")).toEqual({
			maxTokens: 1,
			tokenRatio: 0.001,
		});
	});

	test.each([0, -1, 1001, 1.5, "x"])("maxTokens %j is refused", (tokens) => {
		expect(() => throttling(tokens, 1)).toThrow("retryThrottling.maxTokens: ");
	});

	test.each([0, -1, 0.0009, "x", Infinity])(
		"tokenRatio %j is refused",
		(ratio) => {
			expect(() => throttling(10, ratio)).toThrow(
				"retryThrottling.tokenRatio: ",
			);
		},
	);
});

test("the balancers are kept in order, and an empty list counts as absent", () => {
	expect(
		parse({ loadBalancingConfig: [{ grpclb: {} }, { ring_hash: { a: 1 } }] })
			.loadBalancingConfig,
	).toEqual([
		{ name: "grpclb", config: {} },
		{ name: "ring_hash", config: { a: 1 } },
	]);
	expect(parse({ loadBalancingConfig: [] })).toEqual({ methods: new Map() });
});

test("healthCheckConfig takes any service name, including the empty one", () => {
	const health = (config: object) =>
		parse({ healthCheckConfig: config }).healthCheckConfig;
	expect(health({ serviceName: "" })).toEqual({ serviceName: "" });
	expect(health({})).toBeUndefined();
});

test("field names in the proto's spelling are accepted", () => {
	expect(
		parse({
			method_config: [
				{ name: [{ service: "a.B" }], max_request_message_bytes: "10" },
			],
		}).methods.get("a.B/"),
	).toEqual({ maxRequestMessageBytes: 10 });
});

test("a retry policy without maxAttempts takes the default that the rules give", () => {
	const { maxAttempts: _, ...rest } = retryPolicy;
	const config = {
		methodConfig: [{ name: [{ service: "a.B" }], retryPolicy: rest }],
	};
	expect(() => parse(config)).toThrow(
		"serviceConfig.methodConfig[0].retryPolicy.maxAttempts: is missing",
	);
	expect(
		parseServiceConfig(config, "serviceConfig", {
			defaultMaxAttempts: 3,
		}).methods.get("a.B/")?.attempts,
	).toMatchObject({ maxAttempts: 3 });
});
