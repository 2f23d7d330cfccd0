import type { Clock } from "../../policy/clock.ts";
import { Pause } from "../pause.ts";
import { ANSWER_MS, type ConsulAgent } from "./agent.ts";
import { equals } from "./filter.ts";
import type { ServiceDefinition } from "./service-definition.ts";

/** The waits between queries, in milliseconds. */
const WAITS_MS = [10, 20, 40, 80, 160, 320] as const;

/**
 * Waits until a service that was registered with an agent is in Consul's catalog,
 * where all clients find it. Waits at most two thirds of a second, and does not
 * wait if the token may not read the catalog.
 */
export async function waitUntilFound(
	agent: ConsulAgent,
	{ name, id }: ServiceDefinition,
	clock: Clock,
	signal: AbortSignal,
): Promise<void> {
	const filter = equals("ServiceID", id);
	if (filter === undefined) return;
	const pause = new Pause(clock);
	for (const waitMs of WAITS_MS) {
		try {
			const { value, headers } = await agent.send({
				path: `catalog/service/${encodeURIComponent(name)}`,
				query: { filter },
				timeoutMs: ANSWER_MS,
				signal,
			});
			if (!Array.isArray(value) || value.length > 0) return;
			if ("x-consul-results-filtered-by-acls" in headers) return;
		} catch {
			return;
		}
		await pause.wait(waitMs);
		if (signal.aborted) return;
	}
}
