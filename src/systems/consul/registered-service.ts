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
import { untilFound } from "./until-found.ts";

export interface RegisteredServiceSetting {
	readonly agent: ConsulAgent;
	readonly definition: ServiceDefinition;
	/** What tells this registration from others of the same id. */
	readonly registration: string;
	/** Undefined for checks that the agent makes by itself. */
	readonly ttlMs: number | undefined;
	/** What becomes of an instance that is not taken out, for messages. */
	readonly fate: string;
	readonly clock: Clock;
	readonly random: () => number;
	/** Takes an error that it survives. */
	report(error: Error): void;
}

/** From one look at what the agent knows to the next at most, in milliseconds. */
const LOOK_MS = 5000;

/** How long the agent may take to forget the service, in milliseconds. */
const STOP_MS = 2000;

type Fields = Readonly<Record<string, unknown>>;

/** Whose a service of our id is, if there is one. */
type Holder = "ours" | "none" | { readonly other: string };

/**
 * A service that the agent knows, and is told of again whenever it has forgotten
 * it. An id that somebody else has registered since is left to them: two
 * processes of one id do not fight, the later has it; when it goes, or its TTL is
 * over, the earlier is back.
 */
export class RegisteredService {
	readonly #setting: RegisteredServiceSetting;
	readonly #path: string;
	readonly #lookMs: number;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	/** Ends what is under way. */
	readonly #end = new AbortController();
	#stopping = false;
	#serving = true;
	/** The agent has yet to hear whether it is serving. */
	#servingDue = false;
	/** The agent's own check has failed, as far as is known. */
	#failing = false;
	/** Of the one who has the id instead. */
	#displacedBy: string | undefined;
	/** The last error that was reported, until all is well again. */
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
	 * Registers the service, whoever has its id, and keeps it from then on.
	 * Resolves when it can be found. Rejects with DiscoveryError, or with the
	 * signal's reason; then nothing is left of it.
	 */
	async start(signal: AbortSignal): Promise<void> {
		const { agent, definition, clock } = this.#setting;
		signal.throwIfAborted();
		try {
			await this.#inTurn(() => this.#register(signal));
			await untilFound(agent, definition, clock, signal);
			signal.throwIfAborted();
		} catch (error) {
			// What was given up on, or not answered, may have been heard all the same.
			await this.stop().catch(() => {});
			throw error;
		}
		void this.#keep();
	}

	/** Whether it is to get calls. Rejects with DiscoveryError; then it is tried again later. */
	async want(serving: boolean): Promise<void> {
		this.#serving = serving;
		this.#servingDue = true;
		if (this.#displacedBy === undefined) {
			await this.#inTurn(() => this.#tellServing());
		}
	}

	/** Takes the service out, unless it is somebody else's by now. Takes 2 s at most. Rejects with DiscoveryError. */
	async stop(): Promise<void> {
		const { agent, clock, definition, fate } = this.#setting;
		const { id } = definition;
		this.#stopping = true;
		this.#pause.end();
		// Keeps the process alive meanwhile.
		const timer = clock.after(STOP_MS, () => {
			const text = `${agent.name} has not answered within 2 s`;
			this.#end.abort(new DiscoveryError("unreachable", text));
		});
		try {
			await this.#inTurn(() => this.#deregister());
		} catch (error) {
			const { problem = "unreachable", message } = error as DiscoveryError;
			const text = `${id} was not taken out of Consul, so that ${fate}: ${message}`;
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

	/** Sees to it that the agent knows what it should. */
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
		const answer = await this.#ask(request);
		if (answer.status === 404) return "none";
		const found = this.#setting.agent.read(request, answer, (value, where) =>
			record(record(value, where)["Meta"] ?? {}, `${where}.Meta`),
		)[REGISTRATION_KEY];
		const other = typeof found === "string" ? found : "";
		return other === this.#setting.registration ? "ours" : { other };
	}

	/**
	 * Whether the one who has the id has died without a word: one of homing's that
	 * has not been heard for its TTL. Consul forgets it a minute later, at best.
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

	/** Tells the agent that all is well, or hears whether it is; false if it does not know of any such check. */
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
		const { status } = await this.#ask({
			method: "PUT",
			path: `agent/check/update/${encodeURIComponent(definition.checkId)}`,
			body: { Status: "passing", Output: "the server says so itself" },
			// Before Consul 1.11 a check that is not known was an error of the agent.
			expected: [404, 500],
		});
		return status < 300;
	}

	/** Those of our id, by theirs; undefined for an id that cannot be asked for. */
	async #checks(): Promise<Readonly<Record<string, Fields>> | undefined> {
		const { agent, definition } = this.#setting;
		const filter = equals("ServiceID", definition.id);
		if (filter === undefined) return undefined;
		const request = { path: "agent/checks", query: { filter } };
		const answer = await this.#ask(request);
		return agent.read(request, answer, mapOf(record));
	}

	async #register(signal?: AbortSignal): Promise<void> {
		const { definition } = this.#setting;
		await this.#ask(
			{
				method: "PUT",
				path: "agent/service/register",
				query: { "replace-existing-checks": "true" },
				// What is not to get calls gets none either before the agent has heard so, or has asked.
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

	/** In maintenance a service is known and gets no calls; false if the agent has forgotten it. */
	async #maintain(): Promise<boolean> {
		const { status } = await this.#ask({
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
		await this.#ask({
			method: "PUT",
			path: `agent/service/deregister/${this.#path}`,
			expected: [404],
		});
	}

	#ask(
		request: Omit<AgentRequest, "timeoutMs" | "signal">,
		signal?: AbortSignal,
	): Promise<ApiAnswer> {
		const end = this.#end.signal;
		return this.#setting.agent.ask({
			...request,
			timeoutMs: ANSWER_MS,
			signal: signal === undefined ? end : AbortSignal.any([end, signal]),
		});
	}

	/** One step at a time. */
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
				`another process has registered ${id} in Consul since, and has it until it goes, so that nobody finds ${address} by it; give each server an address of its own, or an id`,
			),
		);
	}

	/** Each error once, until all is well again. */
	#report(error: Error): void {
		if (this.#stopping || error.message === this.#reported) return;
		this.#reported = error.message;
		this.#setting.report(error);
	}
}
