/** The entry point `homing/consul`: the resolver and the registry for Consul. */

import "./node-version.ts";

export type { ConsulAgentOptions } from "./systems/consul/agent-options.ts";
export type {
	ConsulCheck,
	GrpcCheck,
	HttpCheck,
	TcpCheck,
	TtlCheck,
} from "./systems/consul/checks.ts";
export {
	type ConsulRegistryOptions,
	consulRegistry,
} from "./systems/consul/registry.ts";
export {
	type ConsulResolverOptions,
	consulResolver,
} from "./systems/consul/resolver.ts";
export {
	DiscoveryError,
	type DiscoveryProblem,
} from "./systems/discovery-error.ts";
