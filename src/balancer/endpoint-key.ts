import type { Endpoint } from "../discovery/resolver.ts";

/** Equal for endpoints that one connection can serve: the same addresses and attributes, whatever their weights and zones. */
export function endpointKey(endpoint: Endpoint): string {
	const { address, attributes } = endpoint;
	if (attributes === undefined) {
		return typeof address === "string" ? address : JSON.stringify(address);
	}
	return JSON.stringify([address, Object.entries(attributes).sort()]);
}

/** The endpoints by their keys; of those with the same key, the first. */
export function byKey(endpoints: readonly Endpoint[]): Map<string, Endpoint> {
	const map = new Map<string, Endpoint>();
	for (const endpoint of endpoints) {
		const key = endpointKey(endpoint);
		if (!map.has(key)) map.set(key, endpoint);
	}
	return map;
}
