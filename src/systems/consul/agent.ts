import { OptionError } from "../../checks/option-error.ts";
import type { Check } from "../../checks/option-table.ts";
import { type Clock, systemClock } from "../../policy/clock.ts";
import { DiscoveryError } from "../discovery-error.ts";
import { type ApiAnswer, excerptOf, HttpApi } from "../http-api.ts";
import type { AgentSetting } from "./agent-options.ts";

export interface AgentRequest {
	/** Default GET. */
	readonly method?: "GET" | "PUT";
	/** The path after "/v1/", percent-encoded. */
	readonly path: string;
	readonly query?: Readonly<Record<string, string | undefined>>;
	/** The request's body, which is sent as JSON. */
	readonly body?: unknown;
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
	/** Statuses, besides those of success, that the caller handles. */
	readonly expected?: readonly number[];
}

/** The part of a request that error messages show. */
export type RequestName = Pick<AgentRequest, "method" | "path">;

/**
 * The limit for an answer that does not wait for a change. It is less than the default timeout of a call (10 s), and more
 * than the 7.4 s for which an agent waits for a leader.
 */
export const ANSWER_MS = 9000;

/** A client of a Consul agent's HTTP API (https://developer.hashicorp.com/consul/api-docs). */
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

	/** The agent, for error messages: "the Consul agent at http://127.0.0.1:8500". */
	get name(): string {
		return this.#api.name;
	}

	/** Whether requests carry a token. */
	async hasToken(): Promise<boolean> {
		return "x-consul-token" in (await this.#setting.headers());
	}

	/** Sends a request. Rejects with a DiscoveryError unless the status is one of success or one that is expected. */
	async send(request: AgentRequest): Promise<ApiAnswer> {
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

	/** Reads an answer with a check. Throws a DiscoveryError if the check refuses it. */
	read<T>(request: RequestName, { value }: ApiAnswer, check: Check<T>): T {
		try {
			return check(value, "body");
		} catch (error) {
			if (!(error instanceof OptionError)) throw error;
			const what = `an invalid body: ${error.message}`;
			throw this.badAnswer(request, what, error);
		}
	}

	/** Makes the error for an answer that cannot be used. */
	badAnswer(
		{ method, path }: RequestName,
		what: string,
		cause?: unknown,
	): DiscoveryError {
		const request = { method, path: `/v1/${path}`, timeoutMs: 0 };
		return this.#api.badAnswer(request, what, cause);
	}

	close(): void {
		this.#api.close();
	}

	#refused(request: RequestName, answer: ApiAnswer): DiscoveryError {
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
		// The servers behind the agent refuse requests with status 500.
		const isDenied = /permission denied|acl not found/i.test(words);
		if (isDenied || status === 401 || status === 403) {
			return new DiscoveryError("forbidden", `${what}; ${cureOf(words)}`);
		}
		// Consul also answers 500 to a filter that it cannot parse.
		const isUnable =
			(status === 429 || status >= 500) && !/boolean expression/.test(words);
		return new DiscoveryError(isUnable ? "unreachable" : "badAnswer", what);
	}
}

function cureOf(words: string): string {
	return /acl not found/i.test(words)
		? "the agent does not know this token: it was deleted, or belongs to another cluster; set another one (`token`, or CONSUL_HTTP_TOKEN)"
		: "set a token that may do this (`token`, or CONSUL_HTTP_TOKEN), or allow it in the token's policy";
}
