import type { ApiAnswer } from "../http-api.ts";
import { type AgentRequest, ANSWER_MS, type ConsulAgent } from "./agent.ts";

/** How long the agent may hold an answer back. The agent adds up to a sixteenth, so that its clients do not all wake at once. */
const WAIT_MS = 300_000;

/** The header with the index of an answer. The next query waits for a change of this index. */
const INDEX = "x-consul-index";

/**
 * A blocking query
 * (https://developer.hashicorp.com/consul/api-docs/features/blocking). The first
 * answer comes at once; each further answer comes when something may have
 * changed, or after five minutes.
 */
export class IndexedQuery {
	readonly #agent: ConsulAgent;
	readonly #request: Pick<AgentRequest, "path" | "query" | "expected">;
	#index: bigint | undefined;

	constructor(
		agent: ConsulAgent,
		request: Pick<AgentRequest, "path" | "query" | "expected">,
	) {
		this.#agent = agent;
		this.#request = request;
	}

	/** Makes the next query not wait for a change: the last answer could not be used. */
	forget(): void {
		this.#index = undefined;
	}

	/** Sends the query. Rejects with a DiscoveryError; the query after that does not wait for a change. */
	async next(signal: AbortSignal): Promise<ApiAnswer> {
		const last = this.#index;
		this.forget();
		const request: AgentRequest = {
			...this.#request,
			query: {
				...this.#request.query,
				...(last !== undefined && {
					index: String(last),
					wait: `${WAIT_MS / 1000}s`,
				}),
			},
			timeoutMs:
				last === undefined ? ANSWER_MS : WAIT_MS + WAIT_MS / 16 + ANSWER_MS,
			signal,
		};
		const answer = await this.#agent.send(request);
		const index = this.#indexOf(request, answer);
		// If the index goes backwards, the servers' state was replaced, so that the next query must not wait.
		this.#index = last !== undefined && index < last ? undefined : index;
		return answer;
	}

	/** Reads the index. It is at least 1, because a query with index 0 does not wait. */
	#indexOf(request: AgentRequest, { headers }: ApiAnswer): bigint {
		const text = headers[INDEX];
		if (typeof text !== "string" || !/^\d{1,20}$/.test(text)) {
			throw this.#agent.badAnswer(
				request,
				text === undefined
					? "no X-Consul-Index; is it a Consul agent, and does a proxy remove headers?"
					: `the X-Consul-Index ${JSON.stringify(text)}, which is not a number`,
			);
		}
		const index = BigInt(text);
		return index > 0n ? index : 1n;
	}
}
