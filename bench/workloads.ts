import { create } from "@bufbuild/protobuf";
import type { BenchClient } from "./clients/client.ts";
import { OrderSchema } from "./gen/bench_pb.ts";
import { LARGE, SMALL } from "./parcels.ts";

/** What the clients do in a measurement. */
export interface Workload {
	readonly title: string;
	/** What is counted: calls or messages. */
	readonly unit: "call" | "message";
	readonly inFlight: number;
	/** Does one step. Returns the number of units in it. */
	step(client: BenchClient): Promise<number>;
}

const ORDER = create(OrderSchema, { count: 1000 });

export const WORKLOADS = {
	"unary-1": {
		title: "unary, small, one at a time",
		unit: "call",
		inFlight: 1,
		step: echoSmall,
	},
	"unary-64": {
		title: "unary, small, 64 in flight",
		unit: "call",
		inFlight: 64,
		step: echoSmall,
	},
	stream: {
		title: `server streaming, ${ORDER.count} small messages a call, 4 calls in flight`,
		unit: "message",
		inFlight: 4,
		async step(client) {
			const count = await client.stream(ORDER);
			if (count !== ORDER.count) throw new Error(`${count} messages came`);
			return count;
		},
	},
	large: {
		title: "unary, 1 MiB both ways, 4 in flight",
		unit: "call",
		inFlight: 4,
		async step(client) {
			const { content } = await client.echo(LARGE);
			if (content.length !== LARGE.content.length) {
				throw new Error(`${content.length} bytes came back`);
			}
			return 1;
		},
	},
} as const satisfies Record<string, Workload>;

export type WorkloadName = keyof typeof WORKLOADS;

async function echoSmall(client: BenchClient): Promise<number> {
	const { name } = await client.echo(SMALL);
	if (name !== SMALL.name) throw new Error(`"${name}" came back`);
	return 1;
}
