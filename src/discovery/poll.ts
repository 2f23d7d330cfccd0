import { type Duration, parseDuration } from "../checks/duration.ts";
import {
	callable,
	checkOptions,
	type OptionTable,
} from "../checks/option-table.ts";
import { readEndpoints } from "./endpoints.ts";
import { lookAgain, type Pace } from "./resolve-loop.ts";
import type { Endpoint, Resolver } from "./resolver.ts";

export interface PollOptions {
	/** The time from one call of the list to the next: milliseconds, or "30s". Default: 30 s. */
	every?: Duration | undefined;
}

const pollOptions: OptionTable<PollOptions> = { every: parseDuration };

/**
 * A resolver that asks a function for the endpoints: at first, every 30 s, and
 * when a connection was lost; once a second at most. When the function throws,
 * the previous endpoints stay and it is asked again after a while.
 *
 * ```ts
 * const resolver = poll(async (signal) => {
 * 	const response = await fetch("https://inventory/payment", { signal });
 * 	return await response.json(); // ["10.0.0.1:50051", { address: "10.0.0.2:50051", weight: 2 }]
 * });
 * ```
 *
 * @param list its signal fires when the channel closes
 * @throws OptionError for bad options
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

/** `poll`, with its clock. */
export function pollResolver(
	list: (signal: AbortSignal) => Promise<readonly (string | Endpoint)[]>,
	pace: Pace,
): Resolver {
	return {
		watch: (context) =>
			lookAgain(context, pace, async ({ signal }) => ({
				endpoints: readEndpoints(await list(signal), "poll"),
			})),
	};
}
