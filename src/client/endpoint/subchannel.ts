import type { ChannelState, Subchannel } from "../../balancer/balancer.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import {
	type Address,
	formatAddress,
} from "../../discovery/targets/address.ts";
import { Backoff } from "../../policy/backoff.ts";
import type { Timer } from "../../policy/clock.ts";
import type { ClientConnection } from "../../wire/connection.ts";
import {
	ConnectionPool,
	type PoolOwner,
	type PoolSetting,
} from "./connection-pool.ts";
import {
	type Health,
	type HealthSetting,
	HealthWatch,
} from "./health-watch.ts";
import type { Link } from "./link.ts";
import { RoomQueue } from "./room-queue.ts";

/** What a subchannel needs of its channel. */
export interface SubchannelSetting extends PoolSetting, HealthSetting {}

export interface SubchannelOwner {
	/** Every change of state. `error`: why it is "transientFailure", or why the connection was given up. */
	entered(
		state: ChannelState,
		error: Error | undefined,
		subchannel: EndpointSubchannel,
	): void;
	/** Its connection has ended, and it is asked for another. true: not now, `resume` will tell. */
	rests(subchannel: EndpointSubchannel): boolean;
	/** One of several connections is lost: the state is what it was. */
	lostOne(): void;
	/** The peer of a connection with calls on it does not answer a PING. It gets no new ones. */
	silent(connection: ClientConnection): void;
	/** It was heard again, or is gone. */
	silenceOver(connection: ClientConnection): void;
}

type State =
	| { readonly name: "idle"; readonly error?: Error | undefined }
	| { readonly name: "connecting"; readonly abort: AbortController }
	| { readonly name: "ready" }
	| {
			readonly name: "transientFailure";
			readonly timer: Timer;
			readonly error: Error;
	  }
	| { readonly name: "shutdown" };

const HEALTHY: Health = { state: "ready" };
const UNHEARD: Health = { state: "connecting" };

/**
 * One endpoint and its connections: dialled when asked to, with a timeout, and with backoff after a failure. While it is
 * connected, its health and an ejection decide which state it shows.
 */
export class EndpointSubchannel implements Subchannel, PoolOwner {
	readonly endpoint: Endpoint;
	readonly #addresses: readonly Address[];
	#queue: RoomQueue | undefined;
	/** It had a connection, which has served. */
	#ended = false;
	readonly #setting: SubchannelSetting;
	readonly #owner: SubchannelOwner;
	readonly #pool: ConnectionPool;
	/** Since it failed first. */
	#backoff: Backoff | undefined;
	#startedAt = 0;
	/** Its last attempt came to nothing: others are dialed first. */
	#failed = false;
	#state: State = { name: "idle" };
	#healthService: string | undefined;
	#healthWatch: HealthWatch | undefined;
	#health: Health = HEALTHY;
	#ejection: Error | undefined;
	/** What the owner was told last. */
	#shown: ChannelState = "idle";
	#shownError: Error | undefined;

	/** `healthService`: the name to watch the health of (gRFC A17), "" for the server as a whole; undefined: no watch. */
	constructor(
		endpoint: Endpoint,
		addresses: readonly Address[],
		setting: SubchannelSetting,
		owner: SubchannelOwner,
		healthService?: string,
	) {
		this.endpoint = endpoint;
		this.#addresses = addresses;
		this.#setting = setting;
		this.#owner = owner;
		this.#pool = new ConnectionPool(addresses, setting, this);
		this.#healthService = healthService;
	}

	/** For messages. */
	get name(): string {
		return this.#addresses.map(formatAddress).join(" or ");
	}

	/** The calls that found no connection though the state was "ready". They leave with that state. */
	get queue(): RoomQueue {
		this.#queue ??= new RoomQueue(this.#setting.clock);
		return this.#queue;
	}

	/** How many those are. */
	get queued(): number {
		return this.#queue?.size ?? 0;
	}

	get state(): ChannelState {
		return this.#shown;
	}

	/** It has a connection, whatever its state says: it may be unhealthy or ejected. */
	get isConnected(): boolean {
		return this.#state.name === "ready";
	}

	/**
	 * The connection to open the next stream on. Undefined unless "ready", and while all connections are at the peer's
	 * MAX_CONCURRENT_STREAMS: then it is for `queue` to wait.
	 */
	get connection(): ClientConnection | undefined {
		return this.#shown === "ready" ? this.#pool.connection : undefined;
	}

	connect(): void {
		if (this.#state.name !== "idle") return;
		if (this.#ended && this.#owner.rests(this)) return;
		this.#ended = false;
		const abort = new AbortController();
		this.#enter({ name: "connecting", abort });
		void this.#establish(abort);
	}

	/** Connects, if it has rested. */
	resume(): void {
		this.#ended = false;
		this.connect();
	}

	/**
	 * To be called when a call timed out on a connection from which nothing has come since. Sends a PING; without an
	 * answer in 1 s the connection ends, and with it the calls on it.
	 */
	doubt(connection: ClientConnection): void {
		this.#pool.doubt(connection);
	}

	/** While it is connected it shows "transientFailure", for this reason. Its connections and their calls go on. */
	eject(reason: Error): void {
		this.#ejection = reason;
		this.#show();
	}

	uneject(): void {
		this.#ejection = undefined;
		this.#show();
	}

	get isEjected(): boolean {
		return this.#ejection !== undefined;
	}

	/** What there is to see of it: for logs and debugging. */
	snapshot(): object {
		return {
			endpoint: this.endpoint,
			state: this.#shown,
			ejected: this.isEjected,
			connections: this.#pool.snapshot(),
			lastError: this.#shownError?.message,
		};
	}

	/** Watches the health of another service from now on; undefined: of none. */
	set healthService(service: string | undefined) {
		if (service === this.#healthService) return;
		this.#healthService = service;
		if (this.isConnected) this.#startHealth();
		this.#show();
	}

	/** Takes no new calls; those in flight finish. */
	shutdown(): void {
		const before = this.#state;
		if (before.name === "shutdown") return;
		this.#healthWatch?.stop();
		this.#enter({ name: "shutdown" });
		if (before.name === "connecting") {
			before.abort.abort(new Error("no longer wanted"));
		} else if (before.name === "transientFailure") {
			this.#setting.clock.cancel(before.timer);
		}
		this.#pool.close();
	}

	#enter(state: State): void {
		this.#state = state;
		this.#show();
	}

	/** Tells the owner what is new to it. */
	#show(): void {
		const { state, error } = this.#visible();
		if (state === this.#shown && error === this.#shownError) return;
		this.#shown = state;
		this.#shownError = error;
		this.#owner.entered(state, error, this);
		if (this.#shown !== "ready") this.#queue?.dismiss();
	}

	#visible(): { state: ChannelState; error?: Error | undefined } {
		const real = this.#state;
		if (real.name === "idle" || real.name === "transientFailure") {
			return { state: real.name, error: real.error };
		}
		if (real.name !== "ready") return { state: real.name };
		if (this.#health.state !== "ready") return this.#health;
		return this.#ejection === undefined
			? { state: "ready" }
			: { state: "transientFailure", error: this.#ejection };
	}

	async #establish(abort: AbortController): Promise<void> {
		this.#startedAt = this.#setting.clock.now();
		try {
			const link = await this.#pool.connect(
				abort.signal,
				this.#failed ? "failed" : "fresh",
				() => {
					this.#startedAt = this.#setting.clock.now();
				},
			);
			this.#failed = false;
			if (!this.#awaits(abort)) {
				link.connection.destroy();
				return;
			}
			this.#pool.add(link);
			this.#startHealth();
			this.#enter({ name: "ready" });
			if (link.isLost) this.#pool.lost(link, undefined);
		} catch (error) {
			if (this.#awaits(abort)) this.#fail(error as Error);
		}
	}

	#awaits(abort: AbortController): boolean {
		return this.#state.name === "connecting" && this.#state.abort === abort;
	}

	/** Connects no more until the backoff is over, which counts from the start of the last attempt. */
	#fail(error: Error): void {
		this.#failed = true;
		const { clock, random, connectBackoff } = this.#setting;
		this.#backoff ??= new Backoff(random, connectBackoff);
		const waitMs = this.#startedAt + this.#backoff.next() - clock.now();
		const timer = clock.afterIdle(Math.max(waitMs, 0), () =>
			this.#enter({ name: "idle" }),
		);
		this.#enter({ name: "transientFailure", timer, error });
	}

	room(): void {
		this.#queue?.serve(() => this.connection !== undefined);
	}

	silent(connection: ClientConnection): void {
		this.#owner.silent(connection);
	}

	silenceOver(connection: ClientConnection): void {
		this.#owner.silenceOver(connection);
	}

	/** A connection that was silent is heard again, before there was another. */
	found(): void {
		const before = this.#state;
		if (before.name === "connecting") {
			before.abort.abort(new Error("no longer wanted"));
		} else if (before.name === "transientFailure") {
			this.#setting.clock.cancel(before.timer);
		}
		this.#startHealth();
		this.#enter({ name: "ready" });
	}

	/** New calls go to another connection, a new one if need be; those on the old one finish there. */
	lost(link: Link, error: Error | undefined, unwilling: boolean): void {
		if (!this.#pool.isEmpty) {
			this.#owner.lostOne();
			if (this.#healthWatch?.connection === link.connection) {
				this.#watchHealth();
			}
			return;
		}
		this.#healthWatch?.stop();
		this.#healthWatch = undefined;
		if (link.hasServed) this.#backoff?.reset();
		if (unwilling) {
			this.#fail(
				new Error(
					`${this.name} closes its connections before they have served`,
				),
			);
		} else {
			this.#ended = true;
			this.#enter({ name: "idle", error });
		}
	}

	/** Nothing is known of the health on a new connection, or of another service. */
	#startHealth(): void {
		this.#health = this.#healthService === undefined ? HEALTHY : UNHEARD;
		this.#watchHealth();
	}

	#watchHealth(): void {
		this.#healthWatch?.stop();
		this.#healthWatch = undefined;
		const { first } = this.#pool;
		if (this.#healthService === undefined || first === undefined) return;
		this.#healthWatch = new HealthWatch(
			first,
			this.name,
			this.#healthService,
			this.#setting,
			(health) => {
				this.#health = health;
				this.#show();
			},
		);
	}
}
