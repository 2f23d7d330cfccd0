import type { Clock } from "../../policy/clock.ts";
import type { Look } from "../resolve-loop.ts";
import { firstThatAnswers, type Reach } from "./first-that-answers.ts";
import { tcpReach } from "./tcp-probe.ts";

export type Family = "v4" | "v6";

export interface FamilySeams {
	readonly clock?: Clock | undefined;
	readonly reach?: Reach | undefined;
}

/** Before the other family is tried too (RFC 8305, section 5)… */
const HEAD_START_MS = 250;
/** …and where one is in use, which a moment of silence must not change. */
const INCUMBENT_HEAD_START_MS = 2000;

/**
 * Chooses between IPv4 and IPv6 addresses of a service, which are most often two
 * ways to the same servers. A connection is tried to either; the winner stays
 * until somebody asks and none of its addresses answers.
 */
export class FamilyChoice {
	readonly #seams: FamilySeams;
	#incumbent: Family | undefined;

	constructor(seams: FamilySeams) {
		this.#seams = seams;
	}

	/**
	 * Undefined when nothing answers.
	 *
	 * @param groups the "host:port" of each family, the preferred one first
	 */
	async choose(
		groups: ReadonlyMap<Family, readonly string[]>,
		look: Look,
	): Promise<Family | undefined> {
		const incumbent = this.#incumbent;
		if (groups.size === 1) {
			[this.#incumbent] = groups.keys();
			return this.#incumbent;
		}
		if (incumbent !== undefined && !look.asked) {
			return incumbent;
		}
		const preferred = [...groups.keys()].sort(
			(a, b) => Number(b === incumbent) - Number(a === incumbent),
		);
		const winner = await firstThatAnswers(
			preferred.map((family) => groups.get(family) ?? []),
			incumbent === undefined ? HEAD_START_MS : INCUMBENT_HEAD_START_MS,
			look.signal,
			{ reach: this.#seams.reach ?? tcpReach, clock: this.#seams.clock },
		);
		this.#incumbent = winner === undefined ? undefined : preferred[winner];
		return this.#incumbent;
	}
}
