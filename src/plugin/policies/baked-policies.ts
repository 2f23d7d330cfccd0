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
import type { ProtoOptions } from "./proto-options.ts";
import { spelled } from "./spelled-policy.ts";

type MethodName = { service: string; method?: string };

/**
 * The policies that the proto and the config files hold for a service;
 * `undefined` if none do.
 *
 * What speaks of a method comes before what speaks of its service, and that
 * before what speaks of all services; where both speak of the same, the config
 * files come before the proto.
 *
 * @throws Error for a policy that is not valid
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

/** An entry for the service as a whole, then one for each policy that some of its methods have instead. */
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
		const policy = spelled(
			mergePolicies(
				scoped(configured, "method"),
				ofMethod,
				inherited(method, wholeService(configured, ofService)),
			),
		);
		const key = JSON.stringify(policy);
		if (key !== JSON.stringify(spelled(inherited(method, wide)))) {
			const entry = entries.get(key) ?? { name: [], ...policy };
			entry.name.push({ service: service.typeName, method: method.name });
			entries.set(key, entry);
		}
	}
	const all = { name: [{ service: service.typeName }], ...spelled(wide) };
	const methodConfig = [
		...(Object.keys(wide).length === 0 ? [] : [all]),
		...entries.values(),
	];
	return methodConfig.length === 0 ? undefined : methodConfig;
}

/** What holds for methods that nothing speaks of in particular. */
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
