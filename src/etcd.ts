/** The entry point `homing/etcd`: the resolver and the registry for etcd. */

import "./node-version.ts";

export {
	DiscoveryError,
	type DiscoveryProblem,
} from "./systems/discovery-error.ts";
export type { EtcdOptions } from "./systems/etcd/options.ts";
export {
	type EtcdRegistryOptions,
	etcdRegistry,
} from "./systems/etcd/registry.ts";
export {
	type EtcdResolverOptions,
	etcdResolver,
} from "./systems/etcd/resolver.ts";
