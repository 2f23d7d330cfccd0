import { shown } from "../../checks/option-error.ts";
import { listOf, record } from "../../checks/option-table.ts";
import { DiscoveryError } from "../discovery-error.ts";
import type { ApiAnswer } from "../http-api.ts";
import { type AgentRequest, ANSWER_MS, type ConsulAgent } from "./agent.ts";

/** A service for which there is no endpoint. */
export interface EmptyService {
	readonly agent: ConsulAgent;
	readonly service: string;
	/** The query parameters that apply to healthy and unhealthy instances, such as the datacenter. */
	readonly query: NonNullable<AgentRequest["query"]>;
	readonly filter: string | undefined;
	readonly signal: AbortSignal;
}

/** The states of an instance. The state of an instance is the first of these that one of its checks has. */
const STATES = ["maintenance", "critical", "warning", "passing"] as const;

type State = (typeof STATES)[number];

/**
 * Finds out why a service has no endpoint, by querying all of its instances,
 * including unhealthy ones.
 */
export async function whyNoEndpoint(
	empty: EmptyService,
): Promise<DiscoveryError> {
	const { agent, service, query, filter, signal } = empty;
	const request = {
		path: `health/service/${encodeURIComponent(service)}`,
		query,
		timeoutMs: ANSWER_MS,
		signal,
	};
	const answer = await agent.send(request);
	const states = agent.read(request, answer, listOf(stateOf));
	const name = shown(service);
	const known = inDatacenter(query["dc"]);
	if (states.length === 0) {
		const hidden = await whyHidden(agent, answer);
		return hidden !== undefined
			? new DiscoveryError(
					"forbidden",
					`${agent.name} shows no instance of ${name}${known} ${hidden} must allow service:read of ${name}, and node:read`,
				)
			: new DiscoveryError(
					"unknownService",
					`${agent.name} knows no service ${name}${known}; check the name, and whether a server is registered`,
				);
	}
	const passing = states.filter((state) => state === "passing").length;
	if (passing > 0 && filter !== undefined) {
		return new DiscoveryError(
			"noHealthyInstance",
			`${agent.name} knows ${passing} healthy instances of ${name}${known}, but none of them matches the filter ${shown(filter)}`,
		);
	}
	return new DiscoveryError(
		"noHealthyInstance",
		`${agent.name} knows ${instances(states.length)} of ${name}${known}, but none can take calls: ${counted(states)}`,
	);
}

/**
 * Says why Consul may hide instances: it leaves out what the token may not read. Since version 1.12 it says so in a header,
 * but only to requests with a token.
 */
async function whyHidden(
	agent: ConsulAgent,
	{ headers }: ApiAnswer,
): Promise<string | undefined> {
	if (headers["x-consul-results-filtered-by-acls"] === "true") {
		return "to this token; its policy";
	}
	return headers["x-consul-default-acl-policy"] === "deny" &&
		!(await agent.hasToken())
		? "without a token; give one (`token`, or CONSUL_HTTP_TOKEN), whose policy"
		: undefined;
}

function stateOf(entry: unknown, where: string): State {
	const { Checks } = record(entry, where);
	const found = listOf((check, path) => {
		const { CheckID, Status } = record(check, path);
		return /^_(node_maintenance$|service_maintenance:)/.test(String(CheckID))
			? "maintenance"
			: Status;
	})(Checks ?? [], `${where}.Checks`);
	return STATES.find((state) => found.includes(state)) ?? "passing";
}

function counted(states: readonly State[]): string {
	const texts: Readonly<Record<State, string>> = {
		maintenance: "in maintenance",
		critical: "critical",
		warning: "warning",
		passing:
			"passing, but with weight 0, or without a port or an address that can be reached",
	};
	return STATES.map((state) => ({
		state,
		count: states.filter((other) => other === state).length,
	}))
		.filter(({ count }) => count > 0)
		.map(({ state, count }) => `${count} ${texts[state]}`)
		.join(", ");
}

function instances(count: number): string {
	return count === 1 ? "1 instance" : `${count} instances`;
}

function inDatacenter(datacenter: string | undefined): string {
	return datacenter === undefined ? "" : ` in datacenter ${datacenter}`;
}
