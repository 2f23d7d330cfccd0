import type { Series } from "./series.ts";

/** How long to measure. */
export interface Effort {
	readonly rounds: number;
	readonly roundMs: number;
	/** How long each contestant warms up before the first round, in milliseconds. */
	readonly warmUpMs: number;
}

export interface Finding {
	readonly key: FindingKey;
	readonly title: string;
	/** The contestant of which the others are shown as multiples. */
	readonly base: string;
	/** The unit of the numbers. If it is given, the medians are printed as well. */
	readonly unit?: string;
	readonly series: Series;
}

/** The name of the group, and what was measured. */
export type FindingKey = `${string}/${string}`;

/** Measurements that are made together. The command line selects groups by their names. */
export interface Group {
	readonly name: string;
	run(effort: Effort): Promise<readonly Finding[]>;
}
