/** With every policy at work, those among them that are off by default, over two endpoints: with one there is nothing to choose. */

import { staticResolver } from "homing";
import { NewBenchClient } from "../gen/bench_rpc.ts";
import type { BenchClient } from "./client.ts";
import { benchClient } from "./homing.ts";

export function connect(address: string): BenchClient {
	const endpoints = ["one", "two"].map((name) => ({
		address,
		// The same server, but not the same endpoint.
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
