import {
	defaults,
	hedging,
	type Policy,
	roundRobin,
	roundRobinRetries,
	unthrottled,
} from "./policies.ts";
import { percentile } from "./record.ts";
import type { Outcome, Results } from "./runs.ts";

const WIDTH = 720;
const LEFT = 64;
const RIGHT = 16;
/** Height of the legend, which is above the panels. */
const TOP = 52;
const PANEL = 120;
const GAP = 34;
const HEIGHT = TOP + 2 * PANEL + GAP + 36;

/** For light and dark backgrounds. People with colour blindness can tell them apart (after M. Okabe and K. Ito). */
const COLOURS: readonly (readonly [light: string, dark: string])[] = [
	["#d55e00", "#ff8c42"],
	["#b58900", "#f0c541"],
	["#0072b2", "#5ab4f0"],
	["#009e73", "#2fd6a3"],
	["#aa4499", "#e58ad0"],
];

/** These policies have the same colour in all plots. Any other policy gets the last colour. */
const COLOURED: readonly Policy[] = [
	roundRobin,
	roundRobinRetries,
	defaults,
	hedging,
];

interface Panel {
	readonly title: string;
	readonly top: number;
	readonly ticks: readonly (readonly [value: number, label: string])[];
	/** Where a value is in the panel: 0 at the bottom, 1 at the top. */
	height(value: number): number;
	values(outcome: Outcome): readonly number[];
}

/** Plots the seconds of a scenario under each of its policies, as SVG. */
export function plot({ scenario, outcomes: all }: Results): string {
	const outcomes = all.filter(({ policy }) => !policy.unplotted);
	const x = (second: number): number =>
		LEFT + ((WIDTH - LEFT - RIGHT) * second) / scenario.seconds;
	const panels = [
		successPanel(scenario.seconds, TOP),
		scenario.against === unthrottled
			? loadPanel(scenario.seconds, TOP + PANEL + GAP)
			: latencyPanel(
					scenario.seconds,
					scenario.timeoutMs,
					scenario.medianServiceMs,
					TOP + PANEL + GAP,
				),
	];
	const bottom = TOP + 2 * PANEL + GAP;
	const end = Math.min(scenario.overAt, scenario.seconds);
	const lines = [
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
		`<title>${scenario.title}: successful calls, and their latency or the requests sent for them, second by second</title>`,
		style(),
		...outcomes.map(legend),
	];
	for (const panel of panels) {
		lines.push(
			`<rect class="fault" x="${n(x(scenario.faultAt))}" y="${panel.top}" width="${n(x(end) - x(scenario.faultAt))}" height="${PANEL}"/>`,
			`<text x="${LEFT}" y="${panel.top - 6}">${panel.title}</text>`,
			...panel.ticks.flatMap(([value, label]) => tick(panel, value, label)),
			...outcomes.map((outcome) => line(panel, outcome, x)),
		);
	}
	for (let second = 0; second <= scenario.seconds; second += 5) {
		lines.push(
			`<text x="${n(x(second))}" y="${bottom + 18}" text-anchor="middle">${second}${second === 0 ? " s" : ""}</text>`,
		);
	}
	return [...lines, "</svg>", ""].join("\n");
}

function successPanel(seconds: number, top: number): Panel {
	return {
		title: "successful calls",
		top,
		ticks: [
			[0, "0 %"],
			[0.5, "50 %"],
			[1, "100 %"],
		],
		height: (value) => value,
		values: ({ seconds: all }) =>
			all
				.slice(0, seconds)
				.map(({ wentWell, latencies }) => wentWell / latencies.length),
	};
}

function latencyPanel(
	seconds: number,
	most: number,
	least: number,
	top: number,
): Panel {
	const ticks = [10, 20, 50, 100, 200, 500, 1000, 2000].filter(
		(ms) => ms >= least && ms <= most,
	);
	return {
		title: "p99 (a failed call counts with its deadline)",
		top,
		ticks: ticks.map((ms) => [ms, `${ms} ms`]),
		height: (value) => Math.log(value / least) / Math.log(most / least),
		values: ({ seconds: all }) =>
			all
				.slice(0, seconds)
				.map(({ latencies }) =>
					percentile(Float64Array.from(latencies).sort(), 0.99),
				),
	};
}

function loadPanel(seconds: number, top: number): Panel {
	return {
		title: "requests sent per call",
		top,
		ticks: [0, 1, 2, 3].map((load) => [load, String(load)]),
		height: (load) => load / 3.5,
		values: ({ seconds: all }) =>
			all
				.slice(0, seconds)
				.map(({ requests, latencies }) => requests / latencies.length),
	};
}

function line(
	panel: Panel,
	outcome: Outcome,
	x: (second: number) => number,
): string {
	const points = panel
		.values(outcome)
		.map((value, second) => `${n(x(second + 0.5))},${n(y(panel, value))}`);
	return `<polyline class="l ${colour(outcome)}" points="${points.join(" ")}"/>`;
}

function tick(panel: Panel, value: number, label: string): string[] {
	const at = n(y(panel, value));
	return [
		`<path class="grid" d="M${LEFT} ${at}H${WIDTH - RIGHT}"/>`,
		`<text x="${LEFT - 6}" y="${at}" dy="4" text-anchor="end">${label}</text>`,
	];
}

function y({ top, height }: Panel, value: number): number {
	return top + PANEL * (1 - Math.min(Math.max(height(value), 0), 1));
}

function colour({ policy }: Outcome): string {
	const index = COLOURED.indexOf(policy);
	return `c${index < 0 ? COLOURED.length : index}`;
}

/** Entries of the legend, three in a row. */
function legend(outcome: Outcome, index: number): string {
	const x = LEFT + (index % 3) * 210;
	const y = 12 + Math.floor(index / 3) * 16;
	return `<path class="l ${colour(outcome)}" d="M${x} ${y - 4}h18"/><text x="${x + 24}" y="${y}">${outcome.policy.name}</text>`;
}

function style(): string {
	const colours = (which: 0 | 1): string =>
		COLOURS.map((pair, i) => `.c${i}{stroke:${pair[which]}}`).join("");
	return `<style>text{fill:#333}.grid{stroke:#8884;fill:none}.fault{fill:#8882}.l{fill:none;stroke-width:1.6;stroke-linejoin:round}${colours(0)}@media(prefers-color-scheme:dark){text{fill:#ccc}${colours(1)}}</style>`;
}

function n(value: number): string {
	return String(Math.round(value * 10) / 10);
}
