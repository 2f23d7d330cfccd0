import type { Duration } from "../../checks/duration.ts";
import { onlyDefined } from "../../checks/only-defined.ts";
import { type CodeName, codeName } from "../../policy/code.ts";
import type {
	CompiledMethodPolicy,
	MethodPolicy,
} from "../../policy/method-policy.ts";

/** Converts a checked policy back to the spelling of a service config. */
export function policyToConfig(policy: CompiledMethodPolicy): MethodPolicy {
	return onlyDefined({
		timeout:
			policy.timeoutMs === undefined ? undefined : duration(policy.timeoutMs),
		waitForReady: policy.waitForReady,
		...attempts(policy),
		maxRequestMessageBytes: policy.maxRequestMessageBytes,
		maxResponseMessageBytes: policy.maxResponseMessageBytes,
	});
}

function attempts({ attempts }: CompiledMethodPolicy): MethodPolicy {
	switch (attempts?.kind) {
		case undefined:
			return {};
		case "once":
			return { retryPolicy: false };
		case "retry":
			return {
				retryPolicy: {
					maxAttempts: attempts.maxAttempts,
					initialBackoff: duration(attempts.initialBackoffMs),
					maxBackoff: duration(attempts.maxBackoffMs),
					backoffMultiplier: attempts.backoffMultiplier,
					retryableStatusCodes: [...attempts.retryableCodes].map(code),
				},
			};
		case "hedge":
			return {
				hedgingPolicy: {
					maxAttempts: attempts.maxAttempts,
					hedgingDelay: duration(attempts.hedgingDelayMs),
					nonFatalStatusCodes: [...attempts.nonFatalCodes].map(code),
				},
			};
	}
}

/** Formats a duration. A timeout that is switched off (Infinity) is written as 0. */
function duration(ms: number): Duration {
	if (!Number.isFinite(ms)) {
		return "0s";
	}
	// Nine decimals are nanoseconds, the resolution of a protobuf Duration.
	const seconds = (ms / 1000).toFixed(9).replace(/\.?0+$/, "");
	return `${seconds}s` as Duration;
}

function code(value: Parameters<typeof codeName>[0]): CodeName {
	return codeName(value).toUpperCase() as Uppercase<string>;
}
