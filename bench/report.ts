import { markdownTable } from "../testdata/harness/markdown-table.ts";
import type { Verdict } from "./bounds.ts";
import type { Finding } from "./group.ts";
import { compare, type Ratio } from "./series.ts";

/** A finding as text: each contestant as a multiple of the base. */
export function reportFinding({ title, base, series }: Finding): string {
	const rows = [...series.keys()].map((contestant) => [
		contestant,
		...cellsOf(compare(series, contestant, base) as Ratio),
	]);
	return `${title}\n${markdownTable([["", `÷ ${base}`, "spread"], ...rows], [0, 1, 2])}`;
}

/** Bounds and what was measured, as a table in Markdown. */
export function reportVerdicts(verdicts: readonly Verdict[]): string {
	const head = ["homing ÷ peer", "bound", "measured", "spread", ""];
	const rows = verdicts.map(({ bound, measured, ok }) => [
		bound.title,
		`${bound.at === "most" ? "≤" : "≥"} ${bound.ratio}`,
		...cellsOf(measured),
		ok ? "ok" : "not ok",
	]);
	return markdownTable([head, ...rows], [0, 1, 2, 3, 4]);
}

function cellsOf({ ratio, low, high }: Ratio): [string, string] {
	return [
		ratio.toFixed(2),
		low === high ? "" : `${low.toFixed(2)} to ${high.toFixed(2)}`,
	];
}
