import type {
	CompiledFailurePercentage,
	CompiledSuccessRate,
} from "./outlier-detection-options.ts";

/** How many calls of an endpoint succeeded and failed in an interval. */
export interface Counted {
	readonly successes: number;
	readonly failures: number;
}

/** An outlier, and why it is one. */
export interface Outlier<Member> {
	readonly member: Member;
	readonly why: string;
}

/** Returns the endpoints whose success rate is too far below the mean, the worst first (gRFC A50, "Success Rate Algorithm"). */
export function successRateOutliers<Member extends Counted>(
	members: readonly Member[],
	rule: CompiledSuccessRate,
): Outlier<Member>[] {
	const seen = withVolume(members, rule);
	const mean = average(seen.map(successRate));
	const variance = average(
		seen.map((member) => (successRate(member) - mean) ** 2),
	);
	const least = mean - Math.sqrt(variance) * (rule.stdevFactor / 1000);
	return worstFirst(
		seen.filter((member) => successRate(member) < least),
		`the mean of ${seen.length} endpoints is ${percent(mean)}`,
	);
}

/** Returns the endpoints whose failure rate is too high, the worst first (gRFC A50, "Failure Percentage Algorithm"). */
export function failurePercentageOutliers<Member extends Counted>(
	members: readonly Member[],
	rule: CompiledFailurePercentage,
): Outlier<Member>[] {
	return worstFirst(
		withVolume(members, rule).filter(
			({ successes, failures }) =>
				failures * 100 > rule.threshold * (successes + failures),
		),
		`more than ${rule.threshold} % may not fail`,
	);
}

/** Returns the endpoints with enough calls to be evaluated, or none if they are too few to compare. */
function withVolume<Member extends Counted>(
	members: readonly Member[],
	rule: { readonly minimumHosts: number; readonly requestVolume: number },
): readonly Member[] {
	const enough = members.filter(
		({ successes, failures }) => successes + failures >= rule.requestVolume,
	);
	return enough.length >= rule.minimumHosts ? enough : [];
}

function successRate({ successes, failures }: Counted): number {
	return successes / (successes + failures);
}

function average(values: readonly number[]): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function worstFirst<Member extends Counted>(
	outliers: Member[],
	bound: string,
): Outlier<Member>[] {
	return outliers
		.sort((a, b) => successRate(a) - successRate(b))
		.map((member) => ({
			member,
			why: `${member.failures} of its last ${member.successes + member.failures} calls failed, and ${bound}`,
		}));
}

function percent(share: number): string {
	return `${Math.round(share * 1000) / 10} %`;
}
