import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { onlyDefined } from "../../checks/only-defined.ts";
import type { BakedPolicies } from "../../generated.ts";
import {
	type CompiledMethodPolicy,
	forStreaming,
	type MethodPolicy,
	mergePolicies,
} from "../../policy/method-policy.ts";
import type {
	BalancerConfig,
	ServiceConfig,
} from "../../policy/service-config.ts";
import type { Comments } from "../comments.ts";
import type { ConfigFiles, ConfiguredPolicy } from "./config-files.ts";
import { policyToConfig } from "./policy-to-config.ts";
import type { ProtoOptions } from "./proto-options.ts";

type MethodName = { service: string; method?: string };

/**
 * Collects the policies that the proto and the config files hold for a service.
 * Returns `undefined` if there are none.
 *
 * A policy of a method takes precedence over one of its service, which takes
 * precedence over one of all services. At the same level, the config files take
 * precedence over the proto.
 *
 * @throws Error for an invalid policy
 */
export function bakedPolicies(
	service: DescService,
	comments: Comments,
	protos: ProtoOptions,
	configs: ConfigFiles,
): BakedPolicies | undefined {
	const channel = configs.channel(service.typeName);
	const baked: BakedPolicies = onlyDefined({
		target: protos.target(service),
		methodConfig: methodConfig(service, comments, protos, configs),
		retryThrottling: channel.retryThrottling,
		loadBalancingConfig: channel.loadBalancingConfig?.map(balancer),
		healthCheckConfig: channel.healthCheckConfig,
	});
	return Object.keys(baked).length === 0 ? undefined : baked;
}

/** Makes one entry for the service as a whole, and one for each different policy that some of its methods have. */
function methodConfig(
	service: DescService,
	comments: Comments,
	protos: ProtoOptions,
	configs: ConfigFiles,
): ServiceConfig["methodConfig"] {
	const ofService = protos.policy(service, comments);
	const wide = wholeService(configs.service(service.typeName), ofService);
	const entries = new Map<string, MethodPolicy & { name: MethodName[] }>();
	for (const method of service.methods) {
		const configured = configs.method(service.typeName, method.name);
		const ofMethod = protos.policy(method, comments);
		if (configured?.scope !== "method" && ofMethod === undefined) {
			continue;
		}
		const policy = policyToConfig(
			mergePolicies(
				scoped(configured, "method"),
				ofMethod,
				inherited(method, wholeService(configured, ofService)),
			),
		);
		const key = JSON.stringify(policy);
		if (key !== JSON.stringify(policyToConfig(inherited(method, wide)))) {
			const entry = entries.get(key) ?? { name: [], ...policy };
			entry.name.push({ service: service.typeName, method: method.name });
			entries.set(key, entry);
		}
	}
	const all = {
		name: [{ service: service.typeName }],
		...policyToConfig(wide),
	};
	const methodConfig = [
		...(Object.keys(wide).length === 0 ? [] : [all]),
		...entries.values(),
	];
	return methodConfig.length === 0 ? undefined : methodConfig;
}

/** Returns the policy of the methods that have none of their own. */
function wholeService(
	configured: ConfiguredPolicy | undefined,
	ofService: CompiledMethodPolicy | undefined,
): CompiledMethodPolicy {
	return mergePolicies(
		scoped(configured, "service"),
		ofService,
		scoped(configured, "default"),
	);
}

function inherited(
	{ methodKind }: DescMethod,
	policy: CompiledMethodPolicy,
): CompiledMethodPolicy {
	return methodKind === "unary" ? policy : forStreaming(policy);
}

function scoped(
	configured: ConfiguredPolicy | undefined,
	scope: ConfiguredPolicy["scope"],
): CompiledMethodPolicy | undefined {
	return configured?.scope === scope ? configured.policy : undefined;
}

function balancer({ name, config }: BalancerConfig): Record<string, object> {
	return { [name]: config };
}
