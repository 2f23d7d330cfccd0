const RUNS = 40;

/** Milliseconds of the fastest of many runs: whatever else the machine does only makes them slower. */
export function fastestMs(run: (turn: number) => void): number {
	let fastest = Infinity;
	for (let turn = 0; turn < RUNS; turn++) {
		const begin = performance.now();
		run(turn);
		fastest = Math.min(fastest, performance.now() - begin);
	}
	return fastest;
}
