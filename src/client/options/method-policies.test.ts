import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import {
	type CompiledMethodPolicy,
	compileMethodPolicy,
	type MethodPolicy,
} from "../../policy/method-policy.ts";
import {
	type CompiledServiceConfig,
	parseServiceConfig,
} from "../../policy/service-config.ts";
import { MethodPolicies } from "./method-policies.ts";

const { getOrder, searchOrders, updateOrders, processOrders } =
	OrderManagement.method;

/** The levels of policies, from near to far. */
interface Levels {
	readonly method?: MethodPolicy;
	readonly client?: MethodPolicy;
	readonly resolver?: MethodPolicy;
	readonly option?: MethodPolicy;
	readonly baked?: MethodPolicy;
}

/** A service config for the whole service, or for one method. */
function config(
	policy: MethodPolicy,
	method?: DescMethod,
): CompiledServiceConfig {
	const service = "ecommerce.OrderManagement";
	const name =
		method === undefined ? { service } : { service, method: method.name };
	return parseServiceConfig(
		{ methodConfig: [{ ...policy, name: [name] }] },
		"test",
	);
}

function policyUnder(
	levels: Levels,
	method: DescMethod = getOrder,
): CompiledMethodPolicy {
	const own = {
		client: compileMethodPolicy(levels.client ?? {}, ""),
		methods: new Map([
			[method.localName, compileMethodPolicy(levels.method ?? {}, "")],
		]),
		baked: levels.baked && config(levels.baked),
	};
	const serviceConfigs = [levels.resolver, levels.option]
		.filter((policy) => policy !== undefined)
		.map((policy) => config(policy));
	return new MethodPolicies(method, own, { serviceConfigs }).current;
}

const nearestFirst = [
	"method",
	"client",
	"resolver",
	"option",
	"baked",
] as const;

const retry = (maxAttempts: number) => ({
	retryPolicy: {
		maxAttempts,
		initialBackoff: "1s",
		maxBackoff: "1s",
		backoffMultiplier: 1,
		retryableStatusCodes: ["UNAVAILABLE"],
	} as const,
});

describe("each field comes from the nearest level that sets it:", () => {
	const fields = {
		timeout: (level: number) => ({ timeout: 1000 + level }),
		waitForReady: (level: number) => ({ waitForReady: level % 2 === 0 }),
		retryPolicy: (level: number) => retry(2 + (level % 4)),
		maxRequestMessageBytes: (level: number) => ({
			maxRequestMessageBytes: 100 + level,
		}),
		maxResponseMessageBytes: (level: number) => ({
			maxResponseMessageBytes: 100 + level,
		}),
	};
	for (const [field, at] of Object.entries(fields)) {
		for (const [nearest, name] of nearestFirst.entries()) {
			test(`${field} comes from ${name}, before all farther levels`, () => {
				const levels = Object.fromEntries(
					nearestFirst.map((level, i) => [level, i < nearest ? {} : at(i)]),
				);
				const alone = policyUnder({ method: at(nearest) });
				expect(policyUnder(levels)).toEqual(alone);
			});
		}
	}
});

test("the policy combines levels that set different fields", () => {
	expect(
		policyUnder({
			method: { timeout: "1s" },
			client: { waitForReady: true },
			resolver: { maxRequestMessageBytes: 5 },
			option: { maxResponseMessageBytes: 6 },
			baked: retry(3),
		}),
	).toMatchObject({
		timeoutMs: 1000,
		waitForReady: true,
		maxRequestMessageBytes: 5,
		maxResponseMessageBytes: 6,
		attempts: { maxAttempts: 3 },
	});
});

test("retry and hedging exclude each other: the nearest level that sets either decides", () => {
	const hedging = { hedgingPolicy: { maxAttempts: 2 } };
	expect(policyUnder({ client: hedging, baked: retry(3) }).attempts).toEqual(
		policyUnder({ client: hedging }).attempts,
	);
	expect(
		policyUnder({ method: { retryPolicy: false }, client: hedging }).attempts,
	).toEqual({ kind: "once" });
});

test("a timeout of 0 overrides the timeouts of farther levels", () => {
	const policy = policyUnder({
		client: { timeout: 0 },
		baked: { timeout: "1s" },
	});
	expect(policy.timeoutMs).toBe(Infinity);
});

describe("by default", () => {
	test("unary calls have a timeout of 10 s, and streams have none", () => {
		expect(policyUnder({}).timeoutMs).toBe(10_000);
		for (const method of [searchOrders, updateOrders, processOrders]) {
			expect(policyUnder({}, method).timeoutMs).toBeUndefined();
		}
	});

	test.each(["IDEMPOTENT", "NO_SIDE_EFFECTS"] as const)(
		"only methods that are %s are retried",
		(level) => {
			const idempotency = MethodOptions_IdempotencyLevel[level];
			const method: DescMethod = { ...getOrder, idempotency };
			expect(policyUnder({}, method).attempts).toMatchObject({
				kind: "retry",
				maxAttempts: 3,
			});
			expect(policyUnder({}).attempts).toBeUndefined();
			expect(
				policyUnder({ client: { retryPolicy: false } }, method).attempts,
			).toEqual({ kind: "once" });
		},
	);
});

describe("a streaming method", () => {
	test.each(["client", "resolver", "option", "baked"] as const)(
		"takes all fields but the timeout from a %s policy for all methods",
		(level) => {
			const policy = { timeout: "1s", waitForReady: true } as const;
			for (const method of [searchOrders, updateOrders, processOrders]) {
				const merged = policyUnder({ [level]: policy }, method);
				expect(merged.timeoutMs).toBeUndefined();
				expect(merged.waitForReady).toBe(true);
			}
			expect(policyUnder({ [level]: policy }).timeoutMs).toBe(1000);
		},
	);

	test("takes a timeout from the options of the method", () => {
		const levels = {
			method: { timeout: "3s" },
			client: { timeout: "1s" },
		} as const;
		expect(policyUnder(levels, searchOrders).timeoutMs).toBe(3000);
	});

	test("takes a timeout from a service config that names the method", () => {
		const policies = new MethodPolicies(searchOrders, undefined, {
			serviceConfigs: [config({ timeout: "4s" }, searchOrders)],
		});
		expect(policies.current.timeoutMs).toBe(4000);
	});
});

test("the merged policy is the same object until the service configs change", () => {
	const channel = { serviceConfigs: [config({ timeout: "1s" })] };
	const policies = new MethodPolicies(getOrder, undefined, channel);
	const merged = policies.current;
	expect(policies.current).toBe(merged);
	channel.serviceConfigs = [config({ timeout: "2s" })];
	expect(policies.current.timeoutMs).toBe(2000);
	channel.serviceConfigs = [];
	expect(policies.current.timeoutMs).toBe(10_000);
});
