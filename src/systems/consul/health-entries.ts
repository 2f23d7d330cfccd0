import { onlyDefined } from "../../checks/only-defined.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import {
	at,
	type Check,
	listOf,
	mapOf,
	record,
} from "../../checks/option-table.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import {
	formatHostPort,
	parseHostPort,
} from "../../discovery/targets/host-port.ts";
import { REGISTRATION_KEY } from "./registration-key.ts";

/** The content of an answer to `GET /v1/health/service/NAME`. */
export interface HealthAnswer {
	/** One endpoint for each address. An instance that must get no calls has weight 0. */
	readonly endpoints: readonly Endpoint[];
	/** Why instances were left out, without repetitions. */
	readonly unusable: readonly string[];
}

/** The key of the zone in Meta, in a tag "zone:…", and in the node's Meta. */
const ZONE = "zone";

/**
 * Reads the instances of a service
 * (https://developer.hashicorp.com/consul/api-docs/health). An instance with an
 * invalid address is left out; the others are used.
 *
 * @throws OptionError for an answer that is not a list of instances
 */
export function readHealth(answer: unknown): HealthAnswer {
	const byAddress = new Map<string, Endpoint>();
	const unusable = new Set<string>();
	for (const { ID, host, port, ...endpoint } of listOf(readEntry)(
		answer,
		"body",
	)) {
		try {
			const address = formatHostPort(
				parseHostPort(formatHostPort({ host, port }), ID),
			);
			// An instance that is registered twice counts once.
			if (!byAddress.has(address)) {
				byAddress.set(address, { address, ...endpoint });
			}
		} catch (error) {
			unusable.add((error as Error).message);
		}
	}
	return { endpoints: [...byAddress.values()], unusable: [...unusable] };
}

interface Entry extends Omit<Endpoint, "address"> {
	readonly ID: string;
	readonly host: string;
	readonly port: number;
}

const string: Check<string> = (value, where) =>
	typeof value === "string" ? value : refuse(value, where, "a string");

const number: Check<number> = (value, where) =>
	typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY
		? value
		: refuse(value, where, "a number that is 0 or more");

/** Accepts a missing value and null, which Go writes for an empty one. */
const optional =
	<T>(check: Check<T>): Check<T | undefined> =>
	(value, where) =>
		value === undefined || value === null ? undefined : check(value, where);

const object = optional(record);
const strings = optional(listOf(string));
const meta = optional(mapOf(string));

function readEntry(value: unknown, where: string): Entry {
	const entry = new Fields(record(value, where), where);
	const service = entry.within("Service", record);
	const node = entry.within("Node", object);
	const host = service.get("Address", optional(string)) || undefined;
	const attributes = attributesOf(
		service.get("Tags", strings) ?? [],
		service.get("Meta", meta) ?? {},
	);
	return {
		ID: service.get("ID", optional(string)) ?? "instance",
		host: unbracketed(host ?? node.get("Address", optional(string)) ?? ""),
		port: service.get("Port", optional(number)) ?? 0,
		...onlyDefined({
			weight: service
				.within("Weights", object)
				.get("Passing", optional(number)),
			zone:
				attributes[ZONE] ??
				localityOf(service) ??
				node.get("Meta", meta)?.[ZONE] ??
				localityOf(node),
		}),
		...(Object.keys(attributes).length > 0 && { attributes }),
	};
}

/** Removes brackets, which some servers register around IPv6 addresses. */
function unbracketed(host: string): string {
	return host.replace(/^\[(.*)\]$/, "$1");
}

class Fields {
	readonly #fields: Readonly<Record<string, unknown>>;
	readonly #where: string;

	constructor(fields: Readonly<Record<string, unknown>>, where: string) {
		this.#fields = fields;
		this.#where = where;
	}

	get<T>(name: string, check: Check<T>): T {
		return check(this.#fields[name], at(this.#where, name));
	}

	within(name: string, check: typeof object): Fields {
		return new Fields(this.get(name, check) ?? {}, at(this.#where, name));
	}
}

/** Returns the zone of a locality. Consul has localities since 1.17. */
function localityOf(fields: Fields): string | undefined {
	const zone = fields.within("Locality", object).get("Zone", optional(string));
	return zone || undefined;
}

/**
 * Merges tags and Meta. A tag is "key:value", as Kitex writes it, or a word, whose value is "". Meta takes precedence over
 * tags.
 */
function attributesOf(
	tags: readonly string[],
	meta: Readonly<Record<string, string>>,
): Record<string, string> {
	const ofTags = tags.map((tag): [string, string] => {
		const colon = tag.indexOf(":");
		return colon < 0 ? [tag, ""] : [tag.slice(0, colon), tag.slice(colon + 1)];
	});
	return Object.fromEntries(
		[...ofTags, ...Object.entries(meta)].filter(
			([key]) => key !== "" && key !== REGISTRATION_KEY,
		),
	);
}

function refuse(value: unknown, where: string, wanted: string): never {
	throw new OptionError(where, `${shown(value)} is not ${wanted}`);
}
