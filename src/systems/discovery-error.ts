/**
 * Why a discovery system gives no endpoints, or does not register an instance:
 *
 * - "unreachable": the system cannot be reached, or does not answer in time.
 * - "forbidden": the system refuses the token, the certificate or the user, or their permissions.
 * - "unknownService": the system does not know the service.
 * - "noHealthyInstance": the system knows the service, but none of its instances can take calls.
 * - "badAnswer": the system's answer is invalid.
 */
export type DiscoveryProblem =
	| "unreachable"
	| "forbidden"
	| "unknownService"
	| "noHealthyInstance"
	| "badAnswer";

/** Thrown, and reported to hooks, when a service cannot be resolved or registered in Consul, etcd or Kubernetes. */
export class DiscoveryError extends Error {
	override readonly name = "DiscoveryError";
	/** The kind of problem, for programs. The message describes it for people. */
	readonly problem: DiscoveryProblem;

	constructor(problem: DiscoveryProblem, message: string, cause?: unknown) {
		super(message, cause === undefined ? undefined : { cause });
		this.problem = problem;
	}
}
