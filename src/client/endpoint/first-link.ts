import { staggered } from "../../discovery/dns/staggered.ts";
import type { Address } from "../../discovery/targets/address.ts";
import type { Clock } from "../../policy/clock.ts";
import type { Link } from "./link.ts";

/** Of one address of an endpoint before the next, in milliseconds (RFC 8305 section 5). */
const HEAD_START_MS = 250;

/** The first of an endpoint's addresses that connects; the attempts that come second are given up (RFC 8305). */
export async function firstLink(
	addresses: readonly Address[],
	connect: (address: Address, signal: AbortSignal) => Promise<Link>,
	signal: AbortSignal,
	clock: Clock,
): Promise<Link> {
	const [only, second] = addresses;
	// Without a race there is nothing to be given up, and nothing that a connection would have to keep.
	if (only !== undefined && second === undefined) return connect(only, signal);
	const links: Link[] = [];
	const race = new AbortController();
	const attempts = addresses.map((address) => async () => {
		const link = await connect(address, race.signal);
		if (race.signal.aborted) link.connection.destroy();
		else links.push(link);
		return link;
	});
	const giveUp = (): void => race.abort(signal.reason);
	signal.addEventListener("abort", giveUp, { once: true });
	try {
		return await staggered(attempts, HEAD_START_MS, race.signal, clock);
	} catch (error) {
		throw error instanceof AggregateError ? joined(error.errors) : error;
	} finally {
		signal.removeEventListener("abort", giveUp);
		const [, ...late] = links;
		for (const { connection } of late) connection.destroy();
		race.abort(new Error("another address was faster"));
	}
}

function joined(errors: readonly unknown[]): Error {
	const [first] = errors;
	if (errors.length === 1 && first instanceof Error) return first;
	return new Error(errors.map((error) => (error as Error).message).join("; "), {
		cause: first,
	});
}
