import { OptionError } from "../../checks/option-error.ts";
import type { Check } from "../../checks/option-table.ts";
import { type Clock, systemClock } from "../../policy/clock.ts";
import { DiscoveryError } from "../discovery-error.ts";
import { type ApiAnswer, excerptOf, HttpApi } from "../http-api.ts";
import type { AgentSetting } from "./agent-options.ts";

export interface AgentRequest {
	/** Default GET. */
	readonly method?: "GET" | "PUT";
	/** What follows "/v1/", percent-encoded. */
	readonly path: string;
	readonly query?: Readonly<Record<string, string | undefined>>;
	/** Sent as JSON. */
	readonly body?: unknown;
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
	/** Statuses that mean something to who asks, besides success. */
	readonly expected?: readonly number[];
}

/** What errors say of a request. */
export type Asked = Pick<AgentRequest, "method" | "path">;

/** Until an answer that waits for no news is there: less than a call has by default, more than the 7.4 s that an agent waits for a leader. */
export const ANSWER_MS = 9000;

/** A Consul agent, asked by its HTTP API (https://developer.hashicorp.com/consul/api-docs). */
export class ConsulAgent {
	readonly #api: HttpApi;
	readonly #setting: AgentSetting;

	constructor(setting: AgentSetting, clock: Clock = systemClock) {
		const { origin, tls, headers } = setting;
		this.#api = new HttpApi({
			origin,
			role: "the Consul agent",
			tls,
			headers,
			clock,
		});
		this.#setting = setting;
	}

	/** "the Consul agent at http://127.0.0.1:8500" */
	get name(): string {
		return this.#api.name;
	}

	/** Whether it is asked with a token. */
	async hasToken(): Promise<boolean> {
		return "x-consul-token" in (await this.#setting.headers());
	}

	/** Rejects with DiscoveryError unless the status is one of success, or expected. */
	async ask(request: AgentRequest): Promise<ApiAnswer> {
		const { path, query, expected = [], ...rest } = request;
		const answer = await this.#api.json({
			...rest,
			path: `/v1/${path}`,
			query: { ...this.#setting.query, ...query },
		});
		const { status } = answer;
		if (status < 200 || status > 299) {
			if (!expected.includes(status)) throw this.#refused(request, answer);
		}
		return answer;
	}

	/** What the check makes of an answer. Throws DiscoveryError for one that it refuses. */
	read<T>(request: Asked, { value }: ApiAnswer, check: Check<T>): T {
		try {
			return check(value, "body");
		} catch (error) {
			if (!(error instanceof OptionError)) throw error;
			const what = `what makes no sense: ${error.message}`;
			throw this.badAnswer(request, what, error);
		}
	}

	badAnswer(
		{ method, path }: Asked,
		what: string,
		cause?: unknown,
	): DiscoveryError {
		const request = { method, path: `/v1/${path}`, timeoutMs: 0 };
		return this.#api.badAnswer(request, what, cause);
	}

	close(): void {
		this.#api.close();
	}

	#refused(request: Asked, answer: ApiAnswer): DiscoveryError {
		const { status, headers } = answer;
		const words = excerptOf(answer);
		const said =
			status < 400 && headers.location !== undefined
				? `status ${status}, a redirection to ${headers.location}, which is not followed; give the address of the agent itself`
				: words === ""
					? `status ${status}`
					: `status ${status}: ${words}`;
		const { method = "GET", path } = request;
		const what = `${this.name} answered ${method} /v1/${path} with ${said}`;
		// Servers behind the agent refuse by a status of 500.
		const isDenied = /permission denied|acl not found/i.test(words);
		if (isDenied || status === 401 || status === 403) {
			return new DiscoveryError("forbidden", `${what}; ${cureOf(words)}`);
		}
		// Consul says 500 to a filter that it cannot read, too.
		const isUnable =
			(status === 429 || status >= 500) && !/boolean expression/.test(words);
		return new DiscoveryError(isUnable ? "unreachable" : "badAnswer", what);
	}
}

function cureOf(words: string): string {
	return /acl not found/i.test(words)
		? "the agent knows no such token: it has been deleted, or is of another cluster; give another one (`token`, or CONSUL_HTTP_TOKEN)"
		: "give a token that may do this (`token`, or CONSUL_HTTP_TOKEN), or let its policy allow it";
}
