import type { Subchannel } from "./balancer.ts";
import type { Member } from "./every-endpoint.ts";

/**
 * Returns the first entry from `start` on, wrapping around at the end, that a call has not tried, or undefined if it has tried
 * all. It looks at one entry more than the call has tried at most.
 */
export function untriedFrom<M extends Member>(
	start: number,
	members: readonly M[],
	tried: ReadonlySet<Subchannel>,
): M | undefined {
	const looks = Math.min(tried.size + 1, members.length);
	for (let look = 0; look < looks; look++) {
		const member = members[(start + look) % members.length] as M;
		if (!tried.has(member.subchannel)) return member;
	}
	return undefined;
}
