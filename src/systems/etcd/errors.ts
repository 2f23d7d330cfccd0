import { Code, ConnectError } from "@connectrpc/connect";
import { DiscoveryError, type DiscoveryProblem } from "../discovery-error.ts";

/**
 * Turns the error of a failed etcd call into a DiscoveryError.
 *
 * @param what what failed, for the message: "reading services/payment/"
 * @param at the addresses of the members, for the message
 */
export function etcdError(
	error: unknown,
	what: string,
	at: readonly string[],
): DiscoveryError {
	if (error instanceof DiscoveryError) return error;
	const { rawMessage, code } = ConnectError.from(error);
	const problem = problemOf(code, rawMessage, error);
	const why = rawMessage
		.replace(/^etcdserver: /, "")
		// These prefixes come from homing's own channel, and repeat what this message says.
		.replace(/^the call was cancelled: /, "")
		.replace(/^no connection to the resolver \(tried [^)]*\): /, "");
	const who = `etcd at ${at.join(", ")}`;
	return new DiscoveryError(
		problem,
		`${what}: ${
			problem === "unreachable"
				? `${who} cannot be reached: ${why}`
				: problem === "forbidden"
					? `${who} refuses it: ${why}${cureOf(rawMessage)}`
					: `${who} failed: ${why}`
		}`,
		error,
	);
}

/**
 * Whether a call failed because its token is unknown, has expired, or is missing
 * (authentication was switched on since), so that a new token helps (etcd's
 * rpctypes/error.go).
 */
export function isTokenRefused(error: unknown): boolean {
	return (
		error instanceof ConnectError &&
		(error.code === Code.Unauthenticated ||
			/invalid auth token|revision of auth store is old|user name is empty/.test(
				error.rawMessage,
			))
	);
}

/** Whether a watch failed because its start revision is compacted. */
export function isCompacted(error: unknown): boolean {
	return (
		error instanceof ConnectError &&
		error.rawMessage.includes("required revision has been compacted")
	);
}

/** Whether a call failed because its lease no longer exists. */
export function isLeaseGone(error: unknown): boolean {
	return (
		error instanceof ConnectError &&
		(error.code === Code.NotFound ||
			error.rawMessage.includes("requested lease not found"))
	);
}

function problemOf(
	code: Code,
	message: string,
	error: unknown,
): DiscoveryProblem {
	switch (code) {
		case Code.PermissionDenied:
		case Code.Unauthenticated:
			return "forbidden";
		case Code.Unavailable:
			return isCertificateRefused(error) ? "forbidden" : "unreachable";
		case Code.DeadlineExceeded:
		case Code.Canceled:
			return "unreachable";
		case Code.ResourceExhausted:
			// The same code is used when the disk is full, which is another problem.
			return message.includes("too many requests")
				? "unreachable"
				: "badAnswer";
		default:
			// etcd answers INVALID_ARGUMENT to a wrong or missing password.
			return /authentication failed|user name is empty/.test(message)
				? "forbidden"
				: "badAnswer";
	}
}

/** Returns what to do about a refusal, if that is known. */
function cureOf(message: string): string {
	if (message.includes("user name is empty")) {
		return "; it requires a user: set `user` and `password`";
	}
	return message.includes("permission denied")
		? "; grant its role a permission for these keys"
		: "";
}

/** Whether the member refused the client's certificate. */
function isCertificateRefused(error: unknown): boolean {
	for (let one = error; one instanceof Error; one = one.cause) {
		const { code = "" } = one as Error & { code?: string };
		if (/_ALERT_(BAD_|UNKNOWN_CA|.*CERTIFICATE)/.test(code)) return true;
	}
	return false;
}
