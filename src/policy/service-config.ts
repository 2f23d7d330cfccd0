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
 * gRPC's service config, in its JSON spelling. Unknown fields are ignored, an
 * invalid known one rejects the whole.
 */
export interface ServiceConfig {
	/**
	 * Policies of methods. For each method the entry that names it holds; else the one that names its service; else
	 * the one named `{}`. Default: none.
	 */
	methodConfig?:
		| readonly (MethodPolicy & {
				name: readonly { service?: string; method?: string }[];
		  })[]
		| undefined;
	/**
	 * When retries stop because too many calls of the channel fail (gRFC A6). Default: 100 tokens, and 0.1 for each
	 * call that goes well.
	 */
	retryThrottling?: RetryThrottling | undefined;
	/**
	 * Balancers with their configurations, of which the first known one is used: `[{ round_robin: {} }]`. Default:
	 * what the option `balancer` says.
	 */
	loadBalancingConfig?: readonly Record<string, object>[] | undefined;
	/**
	 * The service whose health each endpoint is asked for by grpc.health.v1.Health (gRFC A17). Default: nobody is
	 * asked.
	 */
	healthCheckConfig?: { serviceName: string } | undefined;
}

export interface RetryThrottling {
	/**
	 * How many tokens there are; each failed attempt takes one, and retries stop while half or less are left. A whole
	 * number from 1 to 1000.
	 */
	maxTokens: number;
	/** How many tokens a call that goes well gives back. More than 0; decimals after the third do not count. */
	tokenRatio: number;
}

/** A service config that has been checked. A field that it does not set is not there. */
export interface CompiledServiceConfig {
	/** By `service/method`, `service/` and `/`: see `methodPolicyOf`. */
	readonly methods: ReadonlyMap<string, CompiledMethodPolicy>;
	readonly retryThrottling?: Readonly<RetryThrottling>;
	/** In the order of preference, at least one. Which of them are known is the channel's business. */
	readonly loadBalancingConfig?: readonly BalancerConfig[];
	readonly healthCheckConfig?: { readonly serviceName: string };
}

export interface BalancerConfig {
	readonly name: string;
	readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Checks a service config as gRFC A6, A17, A21 and `service_config.proto` say.
 *
 * @param config the parsed JSON
 * @param where what the errors' paths start with
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
 * What a service config says of a method: the entry that names it, else the one
 * that names its service, else the default one. Entries are not mixed.
 *
 * @param streaming a streaming method takes a timeout only from an entry that
 * names it
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
			// Before the names: an entry without a name is skipped, and may not be wrong.
			const policy = compileMethodPolicy(entry, path, rules);
			const name: Check<void> = (value, path) => {
				const key = methodKey(value, path);
				if (methods.has(key)) {
					throw new OptionError(
						path,
						`names ${named(key)}, as a name before it does; put all that is said of it into one entry`,
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
			`${shown(method)} stands without its service; add "service": "package.Service"`,
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
	// Of 1.005 the thousandths are 1005, though 1.005 * 1000 falls short of it.
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
			'does not name one balancer; write one to an entry, as in [{ "round_robin": {} }]',
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
		`${shown(value)} is not the name of a service; "" is the server as a whole`,
	);
}
