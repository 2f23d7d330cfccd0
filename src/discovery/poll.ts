import { type Duration, parseDuration } from "../checks/duration.ts";
import {
	callable,
	checkOptions,
	type OptionTable,
} from "../checks/option-table.ts";
import { readEndpoints } from "./endpoints.ts";
import { type ResolvePace, resolveLoop } from "./resolve-loop.ts";
import type { Endpoint, Resolver } from "./resolver.ts";

/** Options of `poll`. */
export interface PollOptions {
	/** The time from one call of the function to the next: milliseconds, or "30s". Default: 30 s. */
	every?: Duration | undefined;
}

const pollOptions: OptionTable<PollOptions> = { every: parseDuration };

/**
 * Makes a resolver from a function that returns the endpoints. Use it for a
 * discovery system that homing has no resolver for. The function is called at
 * the start, every 30 s, and after a connection is lost, but at most once a
 * second. If its promise rejects, the previous endpoints stay in use, and it is
 * called again after a backoff.
 *
 * ```ts
 * const resolver = poll(async (signal) => {
 * 	const response = await fetch("https://inventory/payment", { signal });
 * 	return await response.json(); // ["10.0.0.1:50051", { address: "10.0.0.2:50051", weight: 2 }]
 * });
 * ```
 *
 * @param list returns the endpoints; its signal fires when the channel closes
 * @throws OptionError for invalid options
 */
export function poll(
	list: (signal: AbortSignal) => Promise<readonly (string | Endpoint)[]>,
	options: PollOptions = {},
): Resolver {
	callable(list, "list");
	checkOptions(options, pollOptions);
	const everyMs = parseDuration(options.every ?? "30s", "every");
	return pollResolver(list, { everyMs });
}

/** Does what `poll` does, with a pace that may hold a clock. */
export function pollResolver(
	list: (signal: AbortSignal) => Promise<readonly (string | Endpoint)[]>,
	pace: ResolvePace,
): Resolver {
	return {
		watch: (context) =>
			resolveLoop(context, pace, async ({ signal }) => ({
				endpoints: readEndpoints(await list(signal), "poll"),
			})),
	};
}
