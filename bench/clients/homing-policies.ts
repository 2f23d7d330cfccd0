/** homing with all policies switched on, over two endpoints, so that the balancer has a choice. */

import { staticResolver } from "homing";
import { NewBenchClient } from "../gen/bench_rpc.ts";
import type { BenchClient } from "./client.ts";
import { benchClient } from "./homing.ts";

export function connect(address: string): BenchClient {
	const endpoints = ["one", "two"].map((name) => ({
		address,
		// The same server as another endpoint.
		attributes: { name },
	}));
	return benchClient(
		NewBenchClient(staticResolver(endpoints), {
			retryPolicy: {
				maxAttempts: 3,
				initialBackoff: "0.05s",
				maxBackoff: "1s",
				backoffMultiplier: 2,
				retryableStatusCodes: ["UNAVAILABLE"],
			},
			circuitBreaker: {},
			keepalive: { time: "10s" },
			maxConcurrentCalls: 1000,
		}),
	);
}
