import { type Clock, systemClock } from "../../policy/clock.ts";
import { staggered } from "./staggered.ts";

/** Resolves when a connection to "host:port" could be made, which it closes at once. */
export type Reach = (address: string, signal: AbortSignal) => Promise<void>;

/** From one address of a group to the next (RFC 8305, section 8). */
const ADDRESS_DELAY_MS = 250;

/**
 * Which of several groups of addresses, the preferred one first, is the first
 * of which one address can be reached. Undefined when none can be.
 *
 * @param headStartMs how long a group may be silent before the next is tried too
 */
export async function firstThatAnswers(
	groups: readonly (readonly string[])[],
	headStartMs: number,
	signal: AbortSignal,
	seams: { readonly reach: Reach; readonly clock?: Clock | undefined },
): Promise<number | undefined> {
	const { reach, clock = systemClock } = seams;
	const over = new AbortController();
	const ends = AbortSignal.any([signal, over.signal]);
	const attempts = groups.map((group, index) => async () => {
		const addresses = group.map((address) => () => reach(address, ends));
		await staggered(addresses, ADDRESS_DELAY_MS, ends, clock);
		return index;
	});
	try {
		return await staggered(attempts, headStartMs, ends, clock);
	} catch {
		return undefined;
	} finally {
		over.abort();
	}
}
