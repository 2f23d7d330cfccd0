import type { DescService } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { nearMiss } from "../../checks/near-miss.ts";
import { OptionError } from "../../checks/option-error.ts";
import {
	at,
	type Check,
	callable,
	checkOptions,
	listOf,
	type OptionTable,
	record,
} from "../../checks/option-table.ts";
import {
	type CompiledMethodPolicy,
	compileMethodPolicy,
	type MethodPolicy,
	methodPolicyOptions,
} from "../../policy/method-policy.ts";
import {
	parseServiceConfig,
	type ServiceConfig,
} from "../../policy/service-config.ts";
import { type ChannelOptions, channelOptions } from "./channel-options.ts";
import type { ClientPolicies } from "./method-policies.ts";

/**
 * Options of a client: the policy of all its methods (`timeout`, `retryPolicy` and so on), policies of single methods,
 * interceptors, and the options of the channel that the client makes. Channel options throw when the client is given a
 * Channel or Transport instead of a target. All options are checked when the client is made: an unknown option or a bad
 * value throws an OptionError that names it.
 */
export interface ClientOptions<Method extends string = string>
	extends MethodPolicy,
		ChannelOptions {
	/**
	 * Connect interceptors. They run once for each call, around all its attempts; the first in the list is the
	 * outermost. Default: none.
	 */
	interceptors?: readonly Interceptor[] | undefined;
	/**
	 * Policies of single methods, by their names on the client: `{ getOrder: { timeout: "1s" } }`. They override the
	 * policy of the client. Default: none.
	 */
	methods?: { [M in Method]?: MethodPolicy | undefined } | undefined;
}

export const interceptorList: Check<Interceptor[]> = listOf(
	callable as unknown as Check<Interceptor>,
);

const clientOptions: OptionTable<ClientOptions> = {
	...channelOptions,
	...methodPolicyOptions,
	interceptors: interceptorList,
	methods: record,
};

/** The checked options of a client, by who uses them. */
export interface CompiledClientOptions {
	readonly policies: ClientPolicies;
	readonly interceptors: readonly Interceptor[];
	/** The channel options that are set. */
	readonly channel: ChannelOptions;
}

/**
 * Checks the options of a client and compiles the policies in them.
 *
 * @param baked the service config that the plugin has put into the generated code
 * @throws OptionError that names the bad option
 */
export function compileClientOptions(
	service: DescService,
	options: ClientOptions,
	baked: ServiceConfig | undefined,
): CompiledClientOptions {
	checkOptions(options, clientOptions);
	return {
		policies: {
			client: compileMethodPolicy(options, ""),
			methods: methodPolicies(service, options.methods ?? {}),
			baked: baked && parseServiceConfig(baked, "baked"),
		},
		interceptors: options.interceptors ?? [],
		channel: Object.fromEntries(
			Object.keys(channelOptions)
				.filter((key) => options[key as keyof ChannelOptions] !== undefined)
				.map((key) => [key, options[key as keyof ChannelOptions]]),
		),
	};
}

/**
 * Refuses channel options for a client over an existing Channel or Transport, which has its options already.
 *
 * @throws OptionError that names the first of them
 */
export function refuseChannelOptions(
	{ channel }: CompiledClientOptions,
	borrowed: "Channel" | "Transport",
): void {
	const [key] = Object.keys(channel);
	if (key !== undefined) {
		throw new OptionError(
			key,
			`is an option of the channel, and this client borrows a ${borrowed}; set it where the ${borrowed} is made`,
		);
	}
}

function methodPolicies(
	service: DescService,
	given: NonNullable<ClientOptions["methods"]>,
): ReadonlyMap<string, CompiledMethodPolicy> {
	const names = new Map(
		service.methods.map((method) => [clientName(method.localName), method]),
	);
	const policies = new Map<string, CompiledMethodPolicy>();
	for (const [name, policy] of Object.entries(given)) {
		const where = at("methods", name);
		const method = names.get(name);
		if (method === undefined) {
			const meant = nearMiss(name, [...names.keys()]);
			throw new OptionError(
				where,
				`is no method of ${service.typeName}; ${meant === undefined ? `it has ${[...names.keys()].join(", ")}` : `did you mean ${meant}?`}`,
				"unknown",
			);
		}
		if (policy === undefined) continue;
		checkOptions(policy, methodPolicyOptions, where);
		policies.set(method.localName, compileMethodPolicy(policy, where));
	}
	return policies;
}

/**
 * The property name of a method on the client object. A method called "then" would make the client a thenable, and
 * assigning "__proto__" would change its prototype; both get a "$" at the end.
 */
export function clientName(localName: string): string {
	return localName === "then" || localName === "__proto__"
		? `${localName}$`
		: localName;
}
