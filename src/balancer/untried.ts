import type { Subchannel } from "./balancer.ts";
import type { Member } from "./every-endpoint.ts";

/**
 * The first from `start` on, round the end, that a call has not tried, or
 * undefined when it has tried all. One more look than it has tried is enough.
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
