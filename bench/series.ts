/** The measured numbers of each contestant, one for each round, in the order of the rounds. */
export type Series<Contestant extends string = string> = ReadonlyMap<
	Contestant,
	readonly number[]
>;

export interface Ratio {
	/** The ratio of the medians. */
	readonly ratio: number;
	/** The quartiles of the ratios of single rounds. */
	readonly low: number;
	readonly high: number;
}

/** Compares one contestant with another. Returns undefined if either was not measured. */
export function compare(
	series: Series,
	one: string,
	other: string,
): Ratio | undefined {
	const [ones, others] = [series.get(one), series.get(other)];
	if (ones === undefined || others === undefined) return undefined;
	const ratios = ones.map((value, round) => value / (others[round] as number));
	return {
		ratio: quantile(ones, 0.5) / quantile(others, 0.5),
		low: quantile(ratios, 0.25),
		high: quantile(ratios, 0.75),
	};
}

/** The value below which the given fraction of all values lies, interpolated between neighbours. */
export function quantile(values: readonly number[], fraction: number): number {
	const sorted = values.toSorted((a, b) => a - b);
	const at = (sorted.length - 1) * fraction;
	const below = sorted[Math.floor(at)] as number;
	const above = sorted[Math.ceil(at)] as number;
	return below + (above - below) * (at % 1);
}

/** Measures each contestant once in every round, so that disturbances affect all of them alike. */
export async function alternate<Contestant extends string, T>(
	contestants: readonly Contestant[],
	rounds: number,
	measure: (contestant: Contestant) => Promise<T>,
): Promise<Map<Contestant, T[]>> {
	const measured = new Map<Contestant, T[]>(
		contestants.map((contestant) => [contestant, []]),
	);
	for (let round = 0; round < rounds; round++) {
		for (const contestant of contestants) {
			measured.get(contestant)?.push(await measure(contestant));
		}
	}
	return measured;
}

/** Takes one number from each measurement. */
export function seriesOf<Contestant extends string, T>(
	measured: ReadonlyMap<Contestant, readonly T[]>,
	number: (measured: T) => number,
): Series<Contestant> {
	return new Map(
		[...measured].map(([contestant, all]) => [contestant, all.map(number)]),
	);
}
