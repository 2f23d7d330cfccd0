/** homing with its default options: deadline, balancer, policies. */

import {
	type BenchClient as Generated,
	NewBenchClient,
} from "../gen/bench_rpc.ts";
import type { BenchClient } from "./client.ts";

export function connect(address: string): BenchClient {
	return benchClient(NewBenchClient(address));
}

/** Makes a measured client from a homing client with any options. */
export function benchClient(client: Generated): BenchClient {
	return {
		echo: (parcel) => client.echo(parcel),
		async stream(order) {
			let count = 0;
			for await (const _ of client.stream(order)) count++;
			return count;
		},
	};
}
