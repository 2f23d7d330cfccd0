import type { Endpoint } from "../discovery/resolver.ts";

const NONE: NonNullable<Endpoint["attributes"]> = {};

/** Equal for endpoints that one connection can serve: the same addresses and attributes, whatever their weights and zones. */
export function endpointKey({ address, attributes }: Endpoint): string {
	let key = typeof address === "string" ? address : JSON.stringify(address);
	if (attributes === undefined) return key;
	for (const name of Object.keys(attributes).sort()) {
		const value = attributes[name] as string;
		// With their lengths, so that no name or value can look like more than one.
		key += `\n${name.length} ${value.length} ${name}=${value}`;
	}
	return key;
}

/** Whether their keys are the same, which is found out sooner than what they are. */
export function sameKey(one: Endpoint, other: Endpoint): boolean {
	return (
		one === other ||
		(sameAddress(one.address, other.address) &&
			sameAttributes(one.attributes, other.attributes))
	);
}

function sameAddress(
	one: Endpoint["address"],
	other: Endpoint["address"],
): boolean {
	if (typeof one === "string" || typeof other === "string") {
		return one === other;
	}
	return (
		one.length === other.length &&
		one.every((address, i) => address === other[i])
	);
}

function sameAttributes(
	one: Endpoint["attributes"] = NONE,
	other: Endpoint["attributes"] = NONE,
): boolean {
	let more = 0;
	for (const name in one) {
		if (one[name] !== other[name]) return false;
		more += 1;
	}
	for (const _ in other) more -= 1;
	return more === 0;
}

/**
 * The endpoints by their keys; of those with the same key, the first. One whose
 * weight is 0 is to get no calls and is left out, unless all are.
 */
export function byKey(endpoints: readonly Endpoint[]): Map<string, Endpoint> {
	const map = new Map<string, Endpoint>();
	for (const endpoint of endpoints) {
		if (endpoint.weight === 0) continue;
		const key = endpointKey(endpoint);
		if (!map.has(key)) map.set(key, endpoint);
	}
	return map.size > 0 || endpoints.length === 0
		? map
		: byKey(endpoints.map((endpoint) => ({ ...endpoint, weight: undefined })));
}

/** An endpoint's share of the calls, relative to others'. */
export function weightOf({ weight }: Endpoint): number {
	return weight !== undefined && weight > 0 && weight < Infinity ? weight : 1;
}
