import type { Series } from "./series.ts";

/** How much is measured. */
export interface Effort {
	readonly rounds: number;
	readonly roundMs: number;
	/** Before the first round, of each contestant. */
	readonly warmUpMs: number;
}

export interface Finding {
	readonly key: FindingKey;
	readonly title: string;
	/** All others are shown as multiples of this contestant. */
	readonly base: string;
	/** Of the numbers, where they say something by themselves: then the medians are shown, too. */
	readonly unit?: string;
	readonly series: Series;
}

/** The group's name, and what was measured. */
export type FindingKey = `${string}/${string}`;

/** Measurements that are made together, and can be asked for by name. */
export interface Group {
	readonly name: string;
	run(effort: Effort): Promise<readonly Finding[]>;
}
