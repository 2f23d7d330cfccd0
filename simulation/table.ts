import { markdownTable } from "../testdata/harness/markdown-table.ts";
import { defaults, type Policy, unthrottled } from "./policies.ts";
import { peakLoad } from "./record.ts";
import type { Outcome, Results } from "./runs.ts";
import type { Scenario } from "./scenario.ts";

/** The title, story and results of a scenario, in Markdown. `plot` is the path of its picture. */
export function section(results: Results, plot: string | undefined): string {
	const { scenario, outcomes } = results;
	return [
		`## ${scenario.title}`,
		scenario.story,
		table(outcomes, scenario.zones > 1),
		...(plot === undefined ? [] : [`![${scenario.title}](${plot})`]),
	].join("\n\n");
}

/** Compares the defaults with another policy in each scenario: a list, in Markdown. */
export function overview(all: readonly Results[]): string {
	return all
		.map((results) => `- **${results.scenario.title}.** ${gain(results)}`)
		.join("\n");
}

function gain({ scenario, outcomes }: Results): string {
	const of = (wanted: Policy): Outcome => {
		const found = outcomes.find(({ policy }) => policy === wanted);
		if (found !== undefined) return found;
		throw new Error(
			`the scenario ${scenario.name} does not include the policy "${wanted.name}"`,
		);
	};
	const own = of(defaults);
	const other = of(scenario.against);
	const { name } = other.policy;
	const fails = `Of 1000 calls ${failed(other)} fail with ${name}, and ${failed(own)} with the defaults`;
	return scenario.against === unthrottled
		? `${fails}. After its first second, in which the throttle closes, the servers are sent at most ${peak(scenario, own)} requests per call; without it, ${peak(scenario, other)}.`
		: `${fails}; p99 is ${ms(other.p99)} and ${ms(own.p99)}, p99.9 is ${ms(other.p999)} and ${ms(own.p999)}.`;
}

function peak(
	{ faultAt, seconds: end }: Scenario,
	{ seconds }: Outcome,
): string {
	return peakLoad(seconds.slice(faultAt + 1, end)).toFixed(2);
}

function failed({ success }: Outcome): string {
	const perThousand = (1 - success) * 1000;
	return perThousand === 0 ? "none" : significant(perThousand);
}

function table(outcomes: readonly Outcome[], zones: boolean): string {
	const rows = [
		[
			"policy",
			"success",
			"p50",
			"p99",
			"p99.9",
			"requests per call",
			"recovered",
		],
		...outcomes.map((outcome) => [
			outcome.policy.name,
			percent(outcome.success),
			ms(outcome.p50),
			ms(outcome.p99),
			ms(outcome.p999),
			outcome.load.toFixed(2),
			recovered(outcome.recovery),
		]),
	];
	if (zones) {
		rows[0]?.push("left its zone");
		outcomes.forEach(({ across }, i) => {
			rows[i + 1]?.push(`${Math.round(across * 100)} %`);
		});
	}
	return markdownTable(rows);
}

/** Rounds down, so that only 1 is shown as 100 %. */
export function percent(share: number): string {
	if (share === 1) return "100 %";
	return `${(Math.floor(share * 1e5) / 1e3).toFixed(3)} %`;
}

export function ms(value: number): string {
	return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function significant(value: number): string {
	return value < 1 ? value.toPrecision(1) : value.toFixed(value < 10 ? 1 : 0);
}

function recovered(seconds: number): string {
	if (seconds === 0) return "always";
	return seconds === Number.POSITIVE_INFINITY ? "never" : `after ${seconds} s`;
}
