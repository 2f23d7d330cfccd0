import { mapOf, record } from "../../checks/option-table.ts";
import { Backoff } from "../../policy/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import { DiscoveryError } from "../discovery-error.ts";
import type { ApiAnswer } from "../http-api.ts";
import { Pause } from "../pause.ts";
import { type AgentRequest, ANSWER_MS, type ConsulAgent } from "./agent.ts";
import { equals } from "./filter.ts";
import { REGISTRATION_KEY } from "./registration-key.ts";
import { checkIdOf, type ServiceDefinition } from "./service-definition.ts";
import { waitUntilFound } from "./wait-until-found.ts";

export interface RegisteredServiceSetting {
	readonly agent: ConsulAgent;
	readonly definition: ServiceDefinition;
	/** Distinguishes this registration from others with the same id. */
	readonly registration: string;
	/** The TTL of the check; undefined if the agent makes the check. */
	readonly ttlMs: number | undefined;
	/** What happens to an instance that could not be deregistered, for error messages. */
	readonly fate: string;
	readonly clock: Clock;
	readonly random: () => number;
	/** Called with each error that does not end the registration. */
	report(error: Error): void;
}

/** The longest time between two checks that the agent still knows the service, in milliseconds. */
const LOOK_MS = 5000;

/** The limit for deregistering the service, in milliseconds. */
const STOP_MS = 2000;

type Fields = Readonly<Record<string, unknown>>;

/** Which registration holds the id at the agent. */
type Holder = "ours" | "none" | { readonly other: string };

/**
 * Registers a service with the agent, and registers it again whenever the agent
 * has forgotten it. If another process registers the same id later, that process
 * keeps it, so that two processes with one id do not overwrite each other. When
 * the other process deregisters, or its TTL check has expired, this one registers
 * again.
 */
export class RegisteredService {
	readonly #setting: RegisteredServiceSetting;
	readonly #path: string;
	readonly #lookMs: number;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	/** Ends running requests. */
	readonly #end = new AbortController();
	#stopping = false;
	#serving = true;
	/** Whether the agent must still be told the value of `#serving`. */
	#servingDue = false;
	/** Whether the agent's own check failed when last looked at. */
	#failing = false;
	/** The registration that holds the id instead of this one. */
	#displacedBy: string | undefined;
	/** The last error that was reported; undefined after a success. */
	#reported: string | undefined;
	#steps: Promise<void> = Promise.resolve();

	constructor(setting: RegisteredServiceSetting) {
		const {
			clock,
			random,
			definition,
			ttlMs = Number.POSITIVE_INFINITY,
		} = setting;
		this.#setting = setting;
		this.#path = encodeURIComponent(definition.id);
		this.#lookMs = Math.min(ttlMs / 3, LOOK_MS);
		this.#backoff = new Backoff(random, { maxMs: this.#lookMs });
		this.#pause = new Pause(clock);
	}

	/**
	 * Registers the service, even if another registration holds its id, and keeps it
	 * registered from then on. Resolves when clients can find it. Rejects with a
	 * DiscoveryError, or with the signal's reason; then the service is deregistered.
	 */
	async start(signal: AbortSignal): Promise<void> {
		const { agent, definition, clock } = this.#setting;
		signal.throwIfAborted();
		try {
			await this.#inTurn(() => this.#register(signal));
			await waitUntilFound(agent, definition, clock, signal);
			signal.throwIfAborted();
		} catch (error) {
			// The agent may have executed a request that was cancelled or not answered.
			await this.stop().catch(() => {});
			throw error;
		}
		void this.#keep();
	}

	/** Sets whether the service gets calls. Rejects with a DiscoveryError; then it is tried again later. */
	async setServing(serving: boolean): Promise<void> {
		this.#serving = serving;
		this.#servingDue = true;
		if (this.#displacedBy === undefined) {
			await this.#inTurn(() => this.#tellServing());
		}
	}

	/**
	 * Deregisters the service, unless another registration holds its id by now. Takes at most 2 s. Rejects with a
	 * DiscoveryError.
	 */
	async stop(): Promise<void> {
		const { agent, clock, definition, fate } = this.#setting;
		const { id } = definition;
		this.#stopping = true;
		this.#pause.end();
		// This timer also keeps the process alive meanwhile.
		const timer = clock.after(STOP_MS, () => {
			const text = `${agent.name} has not answered within 2 s`;
			this.#end.abort(new DiscoveryError("unreachable", text));
		});
		try {
			await this.#inTurn(() => this.#deregister());
		} catch (error) {
			const { problem = "unreachable", message } = error as DiscoveryError;
			const text = `${id} could not be deregistered from Consul, so that ${fate}: ${message}`;
			throw new DiscoveryError(problem, text, error);
		} finally {
			clock.cancel(timer);
		}
	}

	async #keep(): Promise<void> {
		let waitMs = this.#lookMs;
		for (;;) {
			await this.#pause.wait(waitMs);
			if (this.#stopping) return;
			try {
				await this.#inTurn(() => this.#look());
				this.#backoff.reset();
				this.#reported = undefined;
				waitMs = this.#lookMs;
			} catch (error) {
				this.#report(error as Error);
				waitMs = Math.min(this.#backoff.next(), this.#lookMs);
			}
		}
	}

	/** Checks what the agent knows, and corrects it. */
	async #look(): Promise<void> {
		const holder = await this.#holder();
		if (typeof holder === "object" && !(await this.#isSilent(holder.other))) {
			this.#leaveTo(holder.other);
			return;
		}
		this.#displacedBy = undefined;
		if (holder !== "ours" || !(await this.#checked())) {
			await this.#register();
		} else if (this.#servingDue) {
			await this.#tellServing();
		}
	}

	async #holder(): Promise<Holder> {
		const request = { path: `agent/service/${this.#path}`, expected: [404] };
		const answer = await this.#send(request);
		if (answer.status === 404) return "none";
		const found = this.#setting.agent.read(request, answer, (value, where) =>
			record(record(value, where)["Meta"] ?? {}, `${where}.Meta`),
		)[REGISTRATION_KEY];
		const other = typeof found === "string" ? found : "";
		return other === this.#setting.registration ? "ours" : { other };
	}

	/**
	 * Whether the process that holds the id has died: its TTL check, which homing
	 * registered, has expired. Consul itself deregisters it a minute later at the
	 * earliest.
	 */
	async #isSilent(other: string): Promise<boolean> {
		const { id } = this.#setting.definition;
		const checks = (await this.#checks()) ?? {};
		const { Type, Status } = checks[checkIdOf(id, other)] ?? {};
		return (
			Type === "ttl" &&
			Status === "critical" &&
			!Object.values(checks).some(({ Type }) => Type === "maintenance")
		);
	}

	/**
	 * With a TTL check, reports to the agent that the service is healthy; otherwise reads the state of the agent's check.
	 * Resolves with false if the agent does not know the check.
	 */
	async #checked(): Promise<boolean> {
		const { ttlMs, definition } = this.#setting;
		if (ttlMs === undefined) {
			const checks = await this.#checks();
			if (checks === undefined) return true;
			const own = checks[definition.checkId];
			if (own === undefined) return false;
			this.#failing = own["Status"] === "critical";
			return true;
		}
		const { status } = await this.#send({
			method: "PUT",
			path: `agent/check/update/${encodeURIComponent(definition.checkId)}`,
			body: { Status: "passing", Output: "reported by the server itself" },
			// Before version 1.11, Consul answered 500 for an unknown check.
			expected: [404, 500],
		});
		return status < 300;
	}

	/** The checks of this service id, by check id; undefined if the id cannot be written in a filter. */
	async #checks(): Promise<Readonly<Record<string, Fields>> | undefined> {
		const { agent, definition } = this.#setting;
		const filter = equals("ServiceID", definition.id);
		if (filter === undefined) return undefined;
		const request = { path: "agent/checks", query: { filter } };
		const answer = await this.#send(request);
		return agent.read(request, answer, mapOf(record));
	}

	async #register(signal?: AbortSignal): Promise<void> {
		const { definition } = this.#setting;
		await this.#send(
			{
				method: "PUT",
				path: "agent/service/register",
				query: { "replace-existing-checks": "true" },
				// A service that must not get calls starts as critical, until it is in maintenance or the agent's check passes.
				body: definition.body(
					this.#serving && !this.#failing ? "passing" : "critical",
				),
			},
			signal,
		);
		if (!this.#serving) await this.#maintain();
		this.#servingDue = false;
	}

	async #tellServing(): Promise<void> {
		if (this.#stopping) return;
		if (await this.#maintain()) this.#servingDue = false;
		else await this.#register();
	}

	/**
	 * Puts the service into maintenance mode, in which it gets no calls, or takes it out of it. Resolves with false if the
	 * agent does not know the service.
	 */
	async #maintain(): Promise<boolean> {
		const { status } = await this.#send({
			method: "PUT",
			path: `agent/service/maintenance/${this.#path}`,
			query: {
				enable: String(!this.#serving),
				reason: "the server takes no new calls",
			},
			expected: [404],
		});
		return status !== 404;
	}

	async #deregister(): Promise<void> {
		if ((await this.#holder()) !== "ours") return;
		await this.#send({
			method: "PUT",
			path: `agent/service/deregister/${this.#path}`,
			expected: [404],
		});
	}

	#send(
		request: Omit<AgentRequest, "timeoutMs" | "signal">,
		signal?: AbortSignal,
	): Promise<ApiAnswer> {
		const end = this.#end.signal;
		return this.#setting.agent.send({
			...request,
			timeoutMs: ANSWER_MS,
			signal: signal === undefined ? end : AbortSignal.any([end, signal]),
		});
	}

	/** Runs one step after another. */
	#inTurn(step: () => Promise<void>): Promise<void> {
		const turn = this.#steps.then(step);
		this.#steps = turn.catch(() => {});
		return turn;
	}

	#leaveTo(other: string): void {
		if (this.#displacedBy === other) return;
		this.#displacedBy = other;
		const { id, address } = this.#setting.definition;
		this.#setting.report(
			new Error(
				`another process has registered ${id} in Consul later, and keeps it until it deregisters, so that clients do not find ${address}; give each server an address or an id of its own`,
			),
		);
	}

	/** Reports each error once, until the next success. */
	#report(error: Error): void {
		if (this.#stopping || error.message === this.#reported) return;
		this.#reported = error.message;
		this.#setting.report(error);
	}
}
