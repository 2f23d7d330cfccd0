import { shown } from "../../checks/option-error.ts";
import { listOf, record } from "../../checks/option-table.ts";
import { DiscoveryError } from "../discovery-error.ts";
import type { ApiAnswer } from "../http-api.ts";
import { type AgentRequest, ANSWER_MS, type ConsulAgent } from "./agent.ts";

/** Of a service for which there is no endpoint. */
export interface EmptyService {
	readonly agent: ConsulAgent;
	readonly service: string;
	/** What of the question holds for all instances, fit or not: the datacenter, for one. */
	readonly query: NonNullable<AgentRequest["query"]>;
	readonly filter: string | undefined;
	readonly signal: AbortSignal;
}

/** Which check of an instance tells most of it. */
const FITNESS = ["maintenance", "critical", "warning", "passing"] as const;

type Fitness = (typeof FITNESS)[number];

/**
 * Finds out why there is no endpoint, by asking for the instances that are not
 * healthy too.
 */
export async function whyNone(empty: EmptyService): Promise<DiscoveryError> {
	const { agent, service, query, filter, signal } = empty;
	const request = {
		path: `health/service/${encodeURIComponent(service)}`,
		query,
		timeoutMs: ANSWER_MS,
		signal,
	};
	const answer = await agent.ask(request);
	const fitnesses = agent.read(request, answer, listOf(fitnessOf));
	const name = shown(service);
	const known = inDatacenter(query["dc"]);
	if (fitnesses.length === 0) {
		const hidden = await whyHidden(agent, answer);
		return hidden !== undefined
			? new DiscoveryError(
					"forbidden",
					`${agent.name} shows no instance of ${name}${known} ${hidden} must allow service:read of ${name}, and node:read`,
				)
			: new DiscoveryError(
					"unknownService",
					`${agent.name} knows no service ${name}${known}; is the name right, and is a server registered?`,
				);
	}
	const passing = fitnesses.filter((fitness) => fitness === "passing").length;
	if (passing > 0 && filter !== undefined) {
		return new DiscoveryError(
			"noHealthyInstance",
			`${agent.name} knows ${passing} healthy instances of ${name}${known}, and the filter ${shown(filter)} lets none of them pass`,
		);
	}
	return new DiscoveryError(
		"noHealthyInstance",
		`${agent.name} knows ${instances(fitnesses.length)} of ${name}${known}, and none is fit to take calls: ${counted(fitnesses)}`,
	);
}

/** Consul hides what a token may not see; it says so since version 1.12, but to nobody without a token. */
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

function fitnessOf(entry: unknown, where: string): Fitness {
	const { Checks } = record(entry, where);
	const found = listOf((check, path) => {
		const { CheckID, Status } = record(check, path);
		return /^_(node_maintenance$|service_maintenance:)/.test(String(CheckID))
			? "maintenance"
			: Status;
	})(Checks ?? [], `${where}.Checks`);
	return FITNESS.find((fitness) => found.includes(fitness)) ?? "passing";
}

function counted(fitnesses: readonly Fitness[]): string {
	const says: Readonly<Record<Fitness, string>> = {
		maintenance: "in maintenance",
		critical: "critical",
		warning: "warning",
		passing:
			"passing, with no weight, or no port or address that can be reached",
	};
	return FITNESS.map((fitness) => ({
		fitness,
		count: fitnesses.filter((other) => other === fitness).length,
	}))
		.filter(({ count }) => count > 0)
		.map(({ fitness, count }) => `${count} ${says[fitness]}`)
		.join(", ");
}

function instances(count: number): string {
	return count === 1 ? "1 instance" : `${count} instances`;
}

function inDatacenter(datacenter: string | undefined): string {
	return datacenter === undefined ? "" : ` in datacenter ${datacenter}`;
}
