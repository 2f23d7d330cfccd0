import { Code, ConnectError } from "@connectrpc/connect";
import { DiscoveryError, type DiscoveryProblem } from "../discovery-error.ts";

/**
 * What a failed call of etcd means for discovery.
 *
 * @param what could not be done, for the message: "reading services/payment/"
 * @param at the members, for the message
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
		// Of our own channel: it was we who cancelled, and who was tried is said already.
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
 * The token is not known, or no longer, or there was none as etcd wanted none
 * when it was asked: another one will do (etcd's rpctypes/error.go).
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

/** The history that was asked for is gone. */
export function isCompacted(error: unknown): boolean {
	return (
		error instanceof ConnectError &&
		error.rawMessage.includes("required revision has been compacted")
	);
}

/** The lease has ended. */
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
			// And not: its disk is full.
			return message.includes("too many requests")
				? "unreachable"
				: "badAnswer";
		default:
			// etcd says INVALID_ARGUMENT of a wrong password, and of none.
			return /authentication failed|user name is empty/.test(message)
				? "forbidden"
				: "badAnswer";
	}
}

/** What to do about it, where that is known. */
function cureOf(message: string): string {
	if (message.includes("user name is empty")) {
		return "; it wants a user: set `user` and `password`";
	}
	return message.includes("permission denied")
		? "; grant its role a permission for these keys"
		: "";
}

/** By the member, of ours. */
function isCertificateRefused(error: unknown): boolean {
	for (let one = error; one instanceof Error; one = one.cause) {
		const { code = "" } = one as Error & { code?: string };
		if (/_ALERT_(BAD_|UNKNOWN_CA|.*CERTIFICATE)/.test(code)) return true;
	}
	return false;
}
