/** homing with all defaults switched off, as the base for the cost of policies. */

import { NewBenchClient } from "../gen/bench_rpc.ts";
import type { BenchClient } from "./client.ts";
import { benchClient } from "./homing.ts";

export function connect(address: string): BenchClient {
	return benchClient(
		NewBenchClient(address, {
			timeout: 0,
			retryPolicy: false,
			balancer: "pick_first",
			outlierDetection: false,
		}),
	);
}
