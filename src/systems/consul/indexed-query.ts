import type { ApiAnswer } from "../http-api.ts";
import { type AgentRequest, ANSWER_MS, type ConsulAgent } from "./agent.ts";

/** How long the agent may hold an answer back. It adds up to a sixteenth, so that not all wake up at once. */
const WAIT_MS = 300_000;

/** The header without which nothing can be waited for. */
const INDEX = "x-consul-index";

/**
 * A question that is asked again and again: the first answer comes at once,
 * each further one when there may be news, or after five minutes
 * (https://developer.hashicorp.com/consul/api-docs/features/blocking).
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

	/** What was answered could not be used: the next answer comes at once again. */
	forget(): void {
		this.#index = undefined;
	}

	/** Rejects with DiscoveryError; then the next answer comes at once again. */
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
		const answer = await this.#agent.ask(request);
		const index = this.#indexOf(request, answer);
		// An index that goes backwards is of another history: what it says is read anew.
		this.#index = last !== undefined && index < last ? undefined : index;
		return answer;
	}

	/** At least 1, as nobody can wait for 0. */
	#indexOf(request: AgentRequest, { headers }: ApiAnswer): bigint {
		const text = headers[INDEX];
		if (typeof text !== "string" || !/^\d{1,20}$/.test(text)) {
			throw this.#agent.badAnswer(
				request,
				text === undefined
					? "no X-Consul-Index; is it a Consul agent, and does no proxy take headers away?"
					: `the X-Consul-Index ${JSON.stringify(text)}, which is no number`,
			);
		}
		const index = BigInt(text);
		return index > 0n ? index : 1n;
	}
}
