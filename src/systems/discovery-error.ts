/**
 * What keeps a system from naming endpoints: it cannot be reached; it refuses
 * (a token, a certificate, a role); it knows no such service; it knows the
 * service, and no instance is fit to take calls; its answer makes no sense.
 */
export type DiscoveryProblem =
	| "unreachable"
	| "forbidden"
	| "unknownService"
	| "noHealthyInstance"
	| "badAnswer";

/** Why a service was not found or could not be registered, in words and for programs. */
export class DiscoveryError extends Error {
	override readonly name = "DiscoveryError";
	readonly problem: DiscoveryProblem;

	constructor(problem: DiscoveryProblem, message: string, cause?: unknown) {
		super(message, cause === undefined ? undefined : { cause });
		this.problem = problem;
	}
}
