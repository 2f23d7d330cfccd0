import { OptionError, shown } from "../../checks/option-error.ts";
import {
	at,
	type Check,
	integer,
	listOf,
	mapOf,
	text,
} from "../../checks/option-table.ts";
import type { Instance } from "../../discovery/registry.ts";
import { formatHostPort } from "../../discovery/targets/host-port.ts";
import { instanceHostPort } from "../own-address.ts";
import { type ConsulCheck, checkDefinition, goDuration } from "./checks.ts";
import { consulName } from "./name.ts";
import { REGISTRATION_KEY } from "./registration-key.ts";

/** An instance, as it is registered with the agent. */
export interface ServiceDefinition {
	readonly name: string;
	readonly id: string;
	/** "host:port" */
	readonly address: string;
	readonly checkId: string;
	/** The body of `PUT /v1/agent/service/register` (https://developer.hashicorp.com/consul/api-docs/agent/service#register-service). */
	body(status: "passing" | "critical"): object;
}

/** Limits of Consul. */
const MAX_WEIGHT = 65_535;
const MAX_PAIRS = 64;
const MAX_VALUE = 512;

const weight = integer(1, MAX_WEIGHT);

/**
 * Checks an instance, and makes the definition to register.
 *
 * @param registration distinguishes this registration from others with the same id
 * @throws OptionError for what Consul would not accept
 */
export function serviceDefinition(
	instance: Instance,
	check: ConsulCheck,
	deregisterAfterMs: number,
	registration: string,
): ServiceDefinition {
	const name = consulName(instance.name, "instance.name");
	const { host, port } = instanceHostPort(instance);
	const address = formatHostPort({ host, port });
	const id = consulName(
		instance.id ?? `${name}:${host}:${port}`,
		"instance.id",
	);
	const checkId = checkIdOf(id, registration);
	const definition = {
		ID: id,
		Name: name,
		Address: host,
		Port: port,
		Tags: listOf(text)(instance.tags ?? [], "instance.tags"),
		Meta: { ...meta(instance), [REGISTRATION_KEY]: registration },
		...(instance.weight !== undefined && { Weights: weights(instance.weight) }),
	};
	const checked = {
		CheckID: checkId,
		Name: `${name} at ${address}`,
		...checkDefinition(check, address),
		DeregisterCriticalServiceAfter: goDuration(deregisterAfterMs),
	};
	return {
		name,
		id,
		address,
		checkId,
		body: (Status) => ({ ...definition, Check: { ...checked, Status } }),
	};
}

/**
 * The id of a registration's check. Registrations with the same service id have different checks, so that none reports for
 * the check of another.
 */
export function checkIdOf(id: string, registration: string): string {
	return `service:${id}:${registration}`;
}

function weights(value: unknown): object {
	const Passing = weight(value, "instance.weight");
	return { Passing, Warning: Passing };
}

function meta({ attributes = {}, zone }: Instance): Record<string, string> {
	const pairs = {
		...mapOf(metaValue)(attributes, "instance.attributes"),
		...(zone !== undefined && { zone: metaValue(zone, "instance.zone") }),
	};
	for (const key of Object.keys(pairs)) {
		metaKey(key, at("instance.attributes", key));
	}
	if (Object.keys(pairs).length >= MAX_PAIRS) {
		throw new OptionError(
			"instance.attributes",
			`has more than ${MAX_PAIRS - 1} pairs, the most that Consul accepts`,
		);
	}
	return pairs;
}

const metaKey: Check<string> = (key, where) => {
	if (/^(?!consul-)[\w-]{1,128}$/.test(String(key)) && key !== REGISTRATION_KEY)
		return String(key);
	throw new OptionError(
		where,
		'is a name that Consul does not accept; use at most 128 letters, digits, "-" and "_", and do not begin with "consul-"',
	);
};

const metaValue: Check<string> = (value, where) => {
	if (typeof value === "string" && value.length <= MAX_VALUE) return value;
	throw new OptionError(
		where,
		typeof value === "string"
			? `is longer than ${MAX_VALUE} characters, the most that Consul accepts`
			: `${shown(value)} is not a string`,
	);
};
