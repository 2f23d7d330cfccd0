import type { ChannelState, Subchannel } from "../balancer/balancer.ts";
import { type Address, formatAddress } from "../discovery/address.ts";
import type { Endpoint } from "../discovery/resolver.ts";
import { staggered } from "../discovery/staggered.ts";
import type { Clock, Timer } from "../policy/clock.ts";
import type { ClientConnection } from "../wire/connection.ts";
import { Backoff } from "./backoff.ts";
import type { Connect } from "./connect.ts";

/** What a subchannel needs of its channel. */
export interface SubchannelSetting {
	readonly connect: Connect;
	readonly clock: Clock;
	readonly random: () => number;
}

/** Of one address of an endpoint before the next, in milliseconds (RFC 8305 section 5). */
const HEAD_START_MS = 250;

/** A connection that is lost sooner after it was begun, in milliseconds, and that not for the first time, was as good as none. */
const SHORT_LIFE_MS = 1000;

type State =
	| { readonly name: "idle" }
	| { readonly name: "connecting"; readonly abort: AbortController }
	| { readonly name: "ready"; readonly connection: ClientConnection }
	| { readonly name: "transientFailure"; readonly timer: Timer }
	| { readonly name: "shutdown" };

/** One endpoint and its connection: dialled when asked to, with a timeout, and with backoff after a failure. */
export class EndpointSubchannel implements Subchannel {
	readonly endpoint: Endpoint;
	/** For messages. */
	readonly name: string;
	readonly #addresses: readonly Address[];
	readonly #setting: SubchannelSetting;
	readonly #onState: (state: ChannelState, error?: Error) => void;
	readonly #backoff: Backoff;
	/** For a peer that ends its connections as soon as they are made. */
	readonly #shortLives: Backoff;
	#lostEarly = false;
	#startedAt = 0;
	/** Connections that have ended, or are about to. */
	readonly #gone = new WeakSet<ClientConnection>();
	#state: State = { name: "idle" };

	constructor(
		endpoint: Endpoint,
		addresses: readonly Address[],
		setting: SubchannelSetting,
		onState: (state: ChannelState, error?: Error) => void,
	) {
		this.endpoint = endpoint;
		this.#addresses = addresses;
		this.name = addresses.map(formatAddress).join(" or ");
		this.#setting = setting;
		this.#onState = onState;
		this.#backoff = new Backoff(setting.random);
		this.#shortLives = new Backoff(setting.random);
	}

	get state(): ChannelState {
		return this.#state.name;
	}

	/** The connection to open streams on; undefined unless "ready". */
	get connection(): ClientConnection | undefined {
		return this.#state.name === "ready" ? this.#state.connection : undefined;
	}

	connect(): void {
		if (this.#state.name !== "idle") return;
		const abort = new AbortController();
		this.#enter({ name: "connecting", abort });
		void this.#establish(abort);
	}

	/** Takes no new calls; those in flight finish. */
	shutdown(): void {
		const before = this.#state;
		if (before.name === "shutdown") return;
		this.#enter({ name: "shutdown" });
		if (before.name === "connecting") {
			before.abort.abort(new Error("no longer wanted"));
		} else if (before.name === "transientFailure") {
			this.#setting.clock.cancel(before.timer);
		} else if (before.name === "ready") {
			before.connection.close();
		}
	}

	#enter(state: State, error?: Error): void {
		this.#state = state;
		this.#onState(state.name, error);
	}

	async #establish(abort: AbortController): Promise<void> {
		this.#startedAt = this.#setting.clock.now();
		try {
			const connection = await this.#firstOf(abort);
			if (this.#state.name !== "connecting") {
				connection.destroy();
				return;
			}
			this.#backoff.reset();
			this.#enter({ name: "ready", connection });
			if (this.#gone.has(connection)) this.#lost(connection);
		} catch (error) {
			if (this.#state.name !== "connecting") return;
			this.#fail(error as Error, this.#backoff);
		}
	}

	/** Connects no more until the backoff is over, which counts from the start of the last attempt. */
	#fail(error: Error, backoff: Backoff): void {
		const { clock } = this.#setting;
		const waitMs = this.#startedAt + backoff.next() - clock.now();
		const timer = clock.afterIdle(Math.max(waitMs, 0), () =>
			this.#enter({ name: "idle" }),
		);
		this.#enter({ name: "transientFailure", timer }, error);
	}

	/** The first address that connects; the attempts that come second are given up (RFC 8305). */
	async #firstOf(abort: AbortController): Promise<ClientConnection> {
		const connections: ClientConnection[] = [];
		const attempts = this.#addresses.map((address) => async () => {
			const connection = await this.#connectTo(address, abort.signal);
			if (abort.signal.aborted) connection.destroy();
			else connections.push(connection);
			return connection;
		});
		try {
			return await staggered(
				attempts,
				HEAD_START_MS,
				abort.signal,
				this.#setting.clock,
			);
		} catch (error) {
			throw error instanceof AggregateError ? joined(error.errors) : error;
		} finally {
			const [, ...late] = connections;
			for (const connection of late) connection.destroy();
			abort.abort(new Error("another address was faster"));
		}
	}

	async #connectTo(
		address: Address,
		signal: AbortSignal,
	): Promise<ClientConnection> {
		let connection: ClientConnection | undefined;
		let gone = false;
		const lost = (): void => {
			gone = true;
			if (connection !== undefined) this.#lost(connection);
		};
		connection = await this.#setting.connect(
			address,
			{ accepted: () => {}, room: () => {}, goaway: lost, closed: lost },
			signal,
		);
		if (gone) this.#gone.add(connection);
		return connection;
	}

	/** New calls go to a new connection; those on the old one finish there. */
	#lost(connection: ClientConnection): void {
		this.#gone.add(connection);
		if (this.connection !== connection) return;
		const age = this.#setting.clock.now() - this.#startedAt;
		const early = age < SHORT_LIFE_MS;
		if (early && this.#lostEarly) {
			this.#fail(
				new Error(
					`${this.name} closes its connections as soon as they are made`,
				),
				this.#shortLives,
			);
			return;
		}
		this.#lostEarly = early;
		if (!early) this.#shortLives.reset();
		this.#enter({ name: "idle" });
	}
}

function joined(errors: readonly unknown[]): Error {
	const [first] = errors;
	if (errors.length === 1 && first instanceof Error) return first;
	return new Error(errors.map((error) => (error as Error).message).join("; "), {
		cause: first,
	});
}
