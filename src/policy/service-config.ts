import { onlyDefined } from "../checks/only-defined.ts";
import { OptionError, shown } from "../checks/option-error.ts";
import { at, type Check, listOf, record } from "../checks/option-table.ts";
import {
	type CompiledMethodPolicy,
	compileMethodPolicy,
	forStreaming,
	type MethodPolicy,
} from "./method-policy.ts";
import type { PolicyRules } from "./policy-rules.ts";
import { JsonFields, parseDouble, parseUint32 } from "./proto-json.ts";

/**
 * gRPC's service config, in its JSON spelling (gRFC A21, `service_config.proto`). Unknown fields are ignored. An invalid
 * value in a known field makes the whole config invalid.
 */
export interface ServiceConfig {
	/**
	 * The policies of methods. For each method, one entry applies: the one that names the method; if there is none, the
	 * one that names its service; if there is none, the one with the name `{}`. Default: no policies.
	 */
	methodConfig?:
		| readonly (MethodPolicy & {
				name: readonly { service?: string; method?: string }[];
		  })[]
		| undefined;
	/**
	 * Stops retries while too many attempts of the channel fail (gRFC A6). Default: `{ maxTokens: 100, tokenRatio: 0.1 }`.
	 */
	retryThrottling?: RetryThrottling | undefined;
	/**
	 * Balancers with their configurations, such as `[{ round_robin: {} }]`. The first one that the channel knows is used.
	 * Default: the balancer of the option `balancer`.
	 */
	loadBalancingConfig?: readonly Record<string, object>[] | undefined;
	/**
	 * The service whose health the client watches on each endpoint, by grpc.health.v1.Health (gRFC A17). Default: no
	 * health checks.
	 */
	healthCheckConfig?: { serviceName: string } | undefined;
}

/** The retry throttling of a channel (gRFC A6, "Throttling Retry Attempts and Hedged RPCs"). */
export interface RetryThrottling {
	/**
	 * The number of tokens at the start, which is also the largest. Each failed attempt takes one token. Retries stop
	 * while half of the tokens or fewer are left. A whole number from 1 to 1000.
	 */
	maxTokens: number;
	/** The tokens that each success gives back. At least 0.001; only three decimals count. */
	tokenRatio: number;
}

/** A checked service config. A field that it does not set is absent. */
export interface CompiledServiceConfig {
	/** The policies by `service/method`, `service/` and `/` (the default): see `methodPolicyOf`. */
	readonly methods: ReadonlyMap<string, CompiledMethodPolicy>;
	readonly retryThrottling?: Readonly<RetryThrottling>;
	/** At least one, the preferred one first. The channel decides which of them it knows. */
	readonly loadBalancingConfig?: readonly BalancerConfig[];
	readonly healthCheckConfig?: { readonly serviceName: string };
}

export interface BalancerConfig {
	readonly name: string;
	readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Checks a service config by gRFC A6, A17, A21 and `service_config.proto`.
 *
 * @param config the parsed JSON
 * @param where the path with which the paths in errors start
 * @throws OptionError with the path of the first bad field
 */
export function parseServiceConfig(
	config: unknown,
	where: string,
	rules: PolicyRules = {},
): CompiledServiceConfig {
	const fields = new JsonFields(config, where);
	return onlyDefined({
		methods: fields.optional("methodConfig", methodConfigs(rules)) ?? new Map(),
		retryThrottling: fields.optional("retryThrottling", retryThrottling),
		loadBalancingConfig: fields.optional("loadBalancingConfig", balancers),
		healthCheckConfig: fields.optional("healthCheckConfig", healthCheck),
	});
}

/**
 * Finds the policy of a method in a service config: the entry that names the
 * method, or else the entry that names its service, or else the default entry.
 * Entries are not merged.
 *
 * @param streaming whether the method is a streaming method, which takes a
 * timeout only from an entry that names the method itself
 */
export function methodPolicyOf(
	config: CompiledServiceConfig,
	serviceTypeName: string,
	methodName: string,
	streaming = false,
): CompiledMethodPolicy | undefined {
	const exact = config.methods.get(`${serviceTypeName}/${methodName}`);
	if (exact !== undefined) {
		return exact;
	}
	const wide =
		config.methods.get(`${serviceTypeName}/`) ?? config.methods.get("/");
	return wide !== undefined && streaming ? forStreaming(wide) : wide;
}

function methodConfigs(
	rules: PolicyRules,
): Check<ReadonlyMap<string, CompiledMethodPolicy>> {
	return (value, where) => {
		const methods = new Map<string, CompiledMethodPolicy>();
		listOf((entry, path) => {
			// The policy is checked before the names: an entry without names is skipped, but must be valid.
			const policy = compileMethodPolicy(entry, path, rules);
			const name: Check<void> = (value, path) => {
				const key = methodKey(value, path);
				if (methods.has(key)) {
					throw new OptionError(
						path,
						`names ${named(key)}, which an earlier name already names; put its whole policy into one entry`,
					);
				}
				methods.set(key, policy);
			};
			new JsonFields(entry, path).optional("name", listOf(name));
		})(value, where);
		return methods;
	};
}

function methodKey(value: unknown, where: string): string {
	const fields = new JsonFields(value, where);
	const service = fields.optional("service", protoName) ?? "";
	const method = fields.optional("method", protoName) ?? "";
	if (method !== "" && service === "") {
		throw new OptionError(
			at(where, "method"),
			`${shown(method)} is given without its service; add "service": "package.Service"`,
		);
	}
	return `${service}/${method}`;
}

function protoName(value: unknown, where: string): string {
	if (typeof value === "string" && !value.includes("/")) {
		return value;
	}
	throw new OptionError(
		where,
		`${shown(value)} is not a name; write { "service": "package.Service", "method": "Method" }`,
	);
}

function named(key: string): string {
	return key === "/" ? "the default of all methods" : key.replace(/\/$/, "");
}

function retryThrottling(value: unknown, where: string): RetryThrottling {
	const fields = new JsonFields(value, where);
	return {
		maxTokens: fields.required("maxTokens", tokens),
		tokenRatio: fields.required("tokenRatio", tokenRatio),
	};
}

function tokens(value: unknown, where: string): number {
	const count = parseUint32(value, where);
	if (count < 1 || count > 1000) {
		throw new OptionError(where, `${shown(value)} is not from 1 to 1000`);
	}
	return count;
}

function tokenRatio(value: unknown, where: string): number {
	const ratio = parseDouble(value, where);
	// 1.005 is 1005 thousandths, but in floating point 1.005 * 1000 is a little less than 1005.
	const thousandths = Math.floor(Number((ratio * 1000).toFixed(6)));
	if (thousandths < 1) {
		throw new OptionError(where, `${shown(value)} is not 0.001 or more`);
	}
	return thousandths / 1000;
}

function balancers(
	value: unknown,
	where: string,
): readonly BalancerConfig[] | undefined {
	const list = listOf(balancer)(value, where);
	// In proto3 JSON an empty list is the same as none.
	return list.length === 0 ? undefined : list;
}

function balancer(value: unknown, where: string): BalancerConfig {
	const [first, ...others] = Object.entries(record(value, where));
	if (first === undefined || others.length > 0) {
		throw new OptionError(
			where,
			'does not name exactly one balancer; write one balancer in each entry, as in [{ "round_robin": {} }]',
		);
	}
	const [name, config] = first;
	return { name, config: record(config, at(where, name)) };
}

function healthCheck(
	value: unknown,
	where: string,
): { serviceName: string } | undefined {
	const serviceName = new JsonFields(value, where).optional(
		"serviceName",
		healthServiceName,
	);
	return serviceName === undefined ? undefined : { serviceName };
}

function healthServiceName(value: unknown, where: string): string {
	if (typeof value === "string") {
		return value;
	}
	throw new OptionError(
		where,
		`${shown(value)} is not the name of a service; write "package.Service", or "" for the server as a whole`,
	);
}
