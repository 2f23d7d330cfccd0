import { markdownTable } from "../testdata/harness/markdown-table.ts";
import type { FaultRun } from "./runs.ts";

/** Describes a run in one line, followed by the first failed calls if there are too many. */
export function describe({ fault, toll, excess }: FaultRun): string {
	const { calls, failures } = toll;
	const line = `${fault.title}: ${calls} calls, ${failures.length} failed (allowed: ${fault.price})`;
	if (excess === 0) return line;
	const said = failures
		.slice(0, 5)
		.map(
			({ startedAt, endedAt, message }) =>
				`  ${Math.round(startedAt)} to ${Math.round(endedAt)} ms: ${message}`,
		);
	return [`${line}: ${excess} TOO MANY`, ...said].join("\n");
}

/** The results of all runs, as a table in Markdown. */
export function faultTable(runs: readonly FaultRun[]): string {
	return markdownTable(
		[
			[
				"fault",
				"failures allowed",
				"calls",
				"failed",
				"further attempts",
				"p50",
				"p99",
				"longest",
			],
			...runs.map(rowOf),
		],
		[0, 1],
	);
}

function rowOf({ fault, toll }: FaultRun): string[] {
	const { calls, failures, furtherAttempts, latencies } = toll;
	const at = (share: number): string => {
		const index = Math.floor((latencies.length - 1) * share);
		return `${(latencies[index] ?? 0).toFixed(0)} ms`;
	};
	return [
		fault.title,
		fault.price,
		`${calls}`,
		`${failures.length}`,
		`${furtherAttempts}`,
		at(0.5),
		at(0.99),
		at(1),
	];
}
