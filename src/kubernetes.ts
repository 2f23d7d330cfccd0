/** The entry point `homing/kubernetes`: the resolver for Kubernetes. */

import "./node-version.ts";

export {
	DiscoveryError,
	type DiscoveryProblem,
} from "./systems/discovery-error.ts";
export type { KubernetesOptions } from "./systems/kubernetes/options.ts";
export { kubernetesResolver } from "./systems/kubernetes/resolver.ts";
