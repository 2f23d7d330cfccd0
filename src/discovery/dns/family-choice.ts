import type { Clock } from "../../policy/clock.ts";
import type { ResolveTurn } from "../resolve-loop.ts";
import { firstThatAnswers, type Probe } from "./first-that-answers.ts";
import { tcpProbe } from "./tcp-probe.ts";

export type Family = "v4" | "v6";

/** What tests replace. Default: the system's clock and TCP. */
export interface FamilyDependencies {
	readonly clock?: Clock | undefined;
	readonly probe?: Probe | undefined;
}

/** How much earlier the preferred family is tried than the other (RFC 8305, section 5). */
const HEAD_START_MS = 250;
/** How much earlier the family in use is tried: a short silence must not change the family. */
const INCUMBENT_HEAD_START_MS = 2000;

/**
 * Chooses between the IPv4 and the IPv6 addresses of a service, because usually
 * both lead to the same servers. It tries a connection to both families, and
 * keeps the one that answers first until a new choice is requested and none of
 * its addresses answers.
 */
export class FamilyChoice {
	readonly #dependencies: FamilyDependencies;
	#incumbent: Family | undefined;

	constructor(dependencies: FamilyDependencies) {
		this.#dependencies = dependencies;
	}

	/**
	 * Returns the family to use; undefined if no address answers.
	 *
	 * @param groups the "host:port" addresses of each family, the preferred family first
	 */
	async choose(
		groups: ReadonlyMap<Family, readonly string[]>,
		turn: ResolveTurn,
	): Promise<Family | undefined> {
		const incumbent = this.#incumbent;
		if (groups.size === 1) {
			[this.#incumbent] = groups.keys();
			return this.#incumbent;
		}
		if (incumbent !== undefined && !turn.requested) {
			return incumbent;
		}
		const preferred = [...groups.keys()].sort(
			(a, b) => Number(b === incumbent) - Number(a === incumbent),
		);
		const winner = await firstThatAnswers(
			preferred.map((family) => groups.get(family) ?? []),
			incumbent === undefined ? HEAD_START_MS : INCUMBENT_HEAD_START_MS,
			turn.signal,
			{
				probe: this.#dependencies.probe ?? tcpProbe,
				clock: this.#dependencies.clock,
			},
		);
		this.#incumbent = winner === undefined ? undefined : preferred[winner];
		return this.#incumbent;
	}
}
