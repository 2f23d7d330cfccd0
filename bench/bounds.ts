import type { Finding, FindingKey } from "./group.ts";
import { compare, type Ratio } from "./series.ts";

/** A ratio that homing must reach, with the engine on `node:http2`. */
export interface Bound {
	readonly title: string;
	readonly finding: FindingKey;
	/** The contestant that is measured. Default: homing. */
	readonly one?: string;
	/** The contestant that it is compared with. */
	readonly other: string;
	readonly at: "most" | "least";
	readonly ratio: number;
}

export const BOUNDS: readonly Bound[] = [
	{
		title: "client, unary ÷ bare node:http2",
		finding: "client-unary-64/cpu",
		other: "node:http2",
		at: "most",
		ratio: 1.2,
	},
	{
		title: "client, unary ÷ grpc-js",
		finding: "client-unary-64/cpu",
		other: "grpc-js",
		at: "most",
		ratio: 0.55,
	},
	{
		title: "client, unary one at a time ÷ grpc-js",
		finding: "client-unary-1/cpu",
		other: "grpc-js",
		at: "most",
		ratio: 0.65,
	},
	{
		title: "server, unary ÷ grpc-js",
		finding: "server-unary-64/cpu",
		other: "grpc-js",
		at: "most",
		ratio: 0.7,
	},
	{
		title: "client, server streaming, per message ÷ grpc-js",
		finding: "client-stream/cpu",
		other: "grpc-js",
		at: "most",
		ratio: 0.35,
	},
	{
		title: "server, server streaming, per message ÷ grpc-js",
		finding: "server-stream/cpu",
		other: "grpc-js",
		at: "most",
		ratio: 0.3,
	},
	{
		title: "client, 1 MiB messages, throughput ÷ grpc-js",
		finding: "client-large/throughput",
		other: "grpc-js",
		at: "least",
		ratio: 1.3,
	},
	{
		title: "server, 1 MiB messages, throughput ÷ grpc-js",
		finding: "server-large/throughput",
		other: "grpc-js",
		at: "least",
		ratio: 1.3,
	},
	{
		title: "client, unary, every policy ÷ none",
		finding: "policies/cpu",
		one: "homing-policies",
		other: "homing-bare",
		at: "most",
		ratio: 1.1,
	},
	{
		title: "above the wire, a unary call, CPU ÷ before",
		finding: "layers-unary/cpu",
		one: "this checkout",
		other: "the other",
		at: "most",
		ratio: 0.6,
	},
	{
		title: "above the wire, a unary call, bytes allocated ÷ before",
		finding: "layers-unary/bytes",
		one: "this checkout",
		other: "the other",
		at: "most",
		ratio: 0.5,
	},
	{
		title: "above the wire, a streamed message, CPU ÷ bare node:http2",
		finding: "layers-stream/cpu",
		one: "this checkout",
		other: "node:http2",
		at: "most",
		ratio: 0.9,
	},
];

export interface Verdict {
	readonly bound: Bound;
	readonly measured: Ratio;
	readonly ok: boolean;
}

/** Checks the bounds for which there are findings. */
export function judge(findings: readonly Finding[]): Verdict[] {
	return BOUNDS.flatMap((bound) => {
		const finding = findings.find(({ key }) => key === bound.finding);
		const measured =
			finding && compare(finding.series, bound.one ?? "homing", bound.other);
		if (measured === undefined) return [];
		const { ratio } = measured;
		const ok =
			bound.at === "most" ? ratio <= bound.ratio : ratio >= bound.ratio;
		return [{ bound, measured, ok }];
	});
}
