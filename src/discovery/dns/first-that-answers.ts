import { type Clock, systemClock } from "../../policy/clock.ts";
import { staggered } from "./staggered.ts";

/** Connects to "host:port" and closes the connection at once. Resolves if the address could be reached. */
export type Probe = (address: string, signal: AbortSignal) => Promise<void>;

/** The time between the attempts to connect to the addresses of one group (RFC 8305, section 8). */
const ADDRESS_DELAY_MS = 250;

/**
 * Finds the group of addresses of which an address can be reached first. Returns
 * the group's index; undefined if no address can be reached.
 *
 * @param groups the preferred group first
 * @param headStartMs how long a group may give no answer before the next group is tried too
 */
export async function firstThatAnswers(
	groups: readonly (readonly string[])[],
	headStartMs: number,
	signal: AbortSignal,
	dependencies: { readonly probe: Probe; readonly clock?: Clock | undefined },
): Promise<number | undefined> {
	const { probe, clock = systemClock } = dependencies;
	const over = new AbortController();
	const ends = AbortSignal.any([signal, over.signal]);
	const attempts = groups.map((group, index) => async () => {
		const addresses = group.map((address) => () => probe(address, ends));
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
