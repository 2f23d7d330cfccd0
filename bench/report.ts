import { markdownTable } from "../testdata/harness/markdown-table.ts";
import type { Verdict } from "./bounds.ts";
import type { Finding } from "./group.ts";
import { compare, quantile, type Ratio } from "./series.ts";

/** Formats a finding: each contestant as a multiple of the base. */
export function reportFinding({ title, base, unit, series }: Finding): string {
	const rows = [...series].map(([contestant, values]) => [
		contestant,
		...cellsOf(compare(series, contestant, base) as Ratio),
		...(unit === undefined ? [] : [`${shown(quantile(values, 0.5))} ${unit}`]),
	]);
	const head = ["", `÷ ${base}`, "spread", ...(unit === undefined ? [] : [""])];
	return `${title}\n${markdownTable([head, ...rows], [...head.keys()])}`;
}

/** Formats a number with three digits, or with all digits before the decimal point. */
function shown(value: number): string {
	return value < 100 ? value.toPrecision(3) : value.toFixed(0);
}

/** Formats the bounds and what was measured, as a table in Markdown. */
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
