import { readEndpoints } from "./endpoints.ts";
import type { Endpoint, Resolver } from "./resolver.ts";

/**
 * Always the same endpoints: `ipv4:`, `ipv6:`, `unix:`, `http:` and `https:`
 * targets. A name among the addresses is looked up for each connection anew.
 *
 * @throws OptionError for a bad endpoint
 */
export function staticResolver(
	endpoints: readonly (string | Endpoint)[],
): Resolver {
	const read = readEndpoints(endpoints, "endpoints");
	return {
		async *watch() {
			yield { endpoints: read };
		},
	};
}
