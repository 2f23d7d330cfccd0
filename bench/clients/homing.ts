/** With everything that is on by default: deadline, balancer, policies. */

import { NewBenchClient } from "../gen/bench_rpc.ts";
import type { BenchClient } from "./client.ts";

export function connect(address: string): BenchClient {
	const client = NewBenchClient(address);
	return {
		echo: (parcel) => client.echo(parcel),
		async stream(order) {
			let count = 0;
			for await (const _ of client.stream(order)) count++;
			return count;
		},
	};
}
