import { onlyDefined } from "../checks/only-defined.ts";
import { OptionError, shown } from "../checks/option-error.ts";
import {
	at,
	type Check,
	checkOptions,
	listOf,
	mapOf,
	type OptionTable,
	record,
} from "../checks/option-table.ts";
import type { Endpoint } from "./resolver.ts";
import { formatAddress, parseAddress } from "./targets/address.ts";

/**
 * Checks a list of endpoints that a resolver returned. Each item is an address
 * or an `Endpoint`. Leaves out endpoints of weight 0, which must get no calls.
 *
 * @param where the path with which the paths in errors start
 * @throws OptionError with the path of the first invalid value
 */
export function readEndpoints(list: unknown, where: string): Endpoint[] {
	return listOf(readEndpoint)(list, where).filter(
		(endpoint) => endpoint.weight !== 0,
	);
}

/** How many endpoints are read between two yields. It takes a few milliseconds. */
const SLICE = 2000;

/** Does what `readEndpoints` does, but yields from time to time, so that a long list need not block the event loop. */
export function* readEndpointsInSlices(
	list: unknown,
	where: string,
): Generator<void, Endpoint[]> {
	if (!Array.isArray(list)) return readEndpoints(list, where);
	const endpoints: Endpoint[] = [];
	// A copy, because the owner of the list may change it between two slices.
	for (const [index, item] of [...list].entries()) {
		if (index > 0 && index % SLICE === 0) yield;
		const endpoint = readEndpoint(item, at(where, index));
		if (endpoint.weight !== 0) endpoints.push(endpoint);
	}
	return endpoints;
}

/** Does what `readEndpoints` does, and also refuses unknown keys: for a list that a person wrote. */
export function readWrittenEndpoints(list: unknown, where: string): Endpoint[] {
	listOf((entry, path) => {
		if (typeof entry !== "string") {
			checkOptions(entry, endpointTable, path);
		}
	})(list, where);
	return readEndpoints(list, where);
}

/** Checks one endpoint. Its weight may be 0. */
export function readEndpoint(value: unknown, where: string): Endpoint {
	if (typeof value === "string") {
		return { address: oneAddress(value, where) };
	}
	const fields = record(value, where);
	const read = <T>(name: keyof Endpoint, check: Check<T>): T | undefined =>
		fields[name] === undefined
			? undefined
			: check(fields[name], at(where, name));
	return {
		address: address(fields["address"], at(where, "address")),
		...onlyDefined({
			weight: read("weight", weight),
			zone: read("zone", string),
			attributes: read("attributes", mapOf(string)),
		}),
	};
}

function address(value: unknown, where: string): string | readonly string[] {
	if (typeof value === "string") {
		return oneAddress(value, where);
	}
	if (!Array.isArray(value) || value.length === 0) {
		throw new OptionError(
			where,
			`${shown(value)} is not an address; write one, as in "10.0.0.1:50051", or a list of them`,
		);
	}
	return listOf(oneAddress)(value, where);
}

function oneAddress(value: unknown, where: string): string {
	return formatAddress(parseAddress(string(value, where), where));
}

function weight(value: unknown, where: string): number {
	if (typeof value === "number" && value >= 0 && value < Infinity) {
		return value;
	}
	throw new OptionError(
		where,
		`${shown(value)} is not a weight; write a number that is 0 or more`,
	);
}

function string(value: unknown, where: string): string {
	if (typeof value === "string") {
		return value;
	}
	throw new OptionError(where, `${shown(value)} is not a string`);
}

const endpointTable: OptionTable<Endpoint> = {
	address: { required: address },
	weight,
	zone: string,
	attributes: mapOf(string),
};
