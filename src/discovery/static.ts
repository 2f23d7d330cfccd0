import { readEndpoints } from "./endpoints.ts";
import type { Endpoint, Resolver } from "./resolver.ts";

/**
 * Makes a resolver with fixed endpoints, as for `ipv4:`, `ipv6:`, `unix:`,
 * `http:` and `https:` targets. A host name in an address is looked up for each
 * new connection.
 *
 * @throws OptionError for an invalid endpoint
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
