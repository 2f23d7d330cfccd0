import type { Endpoint } from "../discovery/resolver.ts";
import { addressesOf } from "./subchannels.ts";

/** The addresses that have been found to be good: a long list of endpoints is mostly the one before. */
export class CheckedAddresses {
	#good = new Set<Endpoint["address"]>();

	/** @throws PolicyError that names the first bad address */
	check(endpoints: readonly Endpoint[]): void {
		for (const endpoint of endpoints) {
			if (this.#good.has(endpoint.address)) continue;
			addressesOf(endpoint);
			this.#good.add(endpoint.address);
		}
		// Those that have gone are not kept for ever.
		if (this.#good.size > 2 * endpoints.length) {
			this.#good = new Set(endpoints.map(({ address }) => address));
		}
	}
}
