import type { Endpoint } from "../discovery/resolver.ts";
import type {
	Balancer,
	BalancerHelper,
	ChannelState,
	Picker,
	Subchannel,
} from "./balancer.ts";
import { weightOf } from "./endpoint-key.ts";
import { failPicker, waitPicker } from "./fixed-picker.ts";
import { Roster } from "./roster.ts";

/** What a policy keeps for an endpoint while the resolver lists it, whatever happens to its connections. */
export interface Member {
	readonly subchannel: Subchannel;
	weight: number;
}

/** The part in which policies over all endpoints differ. */
export interface EveryEndpointPolicy<M extends Member> {
	join(subchannel: Subchannel, weight: number): M;
	/** Makes a picker for the ready endpoints, of which there is at least one, in the resolver's order. */
	picker(ready: readonly M[]): Picker;
	/** The resolver no longer lists the endpoint. */
	leave?(member: M): void;
}

/** With more ready endpoints than this, a new picker for a single change may be delayed, because making it takes time for each endpoint. */
const ENOUGH = 100;

/** How long it is delayed, in milliseconds. */
const GATHER_MS = 10;

/** With very many ready endpoints it is delayed for longer: a millisecond for each of this many. */
const READY_PER_MS = 500;

type Lent = ReturnType<BalancerHelper["createSubchannel"]>;

interface Connection<M> {
	readonly lent: Lent;
	readonly member: M;
	ready: boolean;
	/** True from a failure until the endpoint is ready again, through all attempts (gRFC A48, "Aggregated Connectivity State"). */
	failed: boolean;
	gone: boolean;
}

/** A balancer that connects to every endpoint, for policies that choose among the ready ones. */
export class EveryEndpoint<M extends Member> implements Balancer {
	readonly #helper: BalancerHelper;
	readonly #policy: EveryEndpointPolicy<M>;
	readonly #roster = new Roster<Connection<M>>({
		join: (endpoint) => this.#connection(endpoint),
		stay: ({ member }, endpoint) => {
			member.weight = weightOf(endpoint);
		},
		leave: (connection) => this.#close(connection),
	});
	#ready = 0;
	#failed = 0;
	#lastError = new Error("no connection has been tried yet");
	/** While an update is under way, nothing is published. */
	#updating = false;
	#closed = false;
	/** Cancels the next slice of an update. */
	#cancelUpdate: () => void = () => {};
	/** Cancels a scheduled publication. */
	#cancelDue: (() => void) | undefined;

	constructor(helper: BalancerHelper, policy: EveryEndpointPolicy<M>) {
		this.#helper = helper;
		this.#policy = policy;
	}

	update(endpoints: readonly Endpoint[]): void {
		this.#slice(() => this.#roster.update(endpoints));
	}

	exitIdle(): void {
		for (const { lent, ready } of this.#roster.entries) {
			if (!ready) lent.connect();
		}
	}

	close(): void {
		this.#closed = true;
		this.#cancelDue?.();
		this.#slice(() => this.#roster.update([]));
	}

	/** Does a slice of an update, and schedules the next one. Meanwhile, calls go to the connections that exist. */
	#slice(work: () => void): void {
		this.#cancelUpdate();
		this.#updating = true;
		const ready = this.#ready;
		work();
		this.#updating = this.#closed;
		if (this.#roster.isUpdating) {
			this.#cancelUpdate();
			this.#cancelUpdate = this.#helper.after(0, () =>
				this.#slice(() => this.#roster.goOn()),
			);
			if (this.#ready !== ready && !this.#closed) this.#publishSoon();
		} else if (!this.#closed) this.#publish();
	}

	#connection(endpoint: Endpoint): Connection<M> {
		const lent = this.#helper.createSubchannel(endpoint, (state, error) =>
			this.#heard(connection, state, error),
		);
		const connection: Connection<M> = {
			lent,
			member: this.#policy.join(lent, weightOf(endpoint)),
			ready: false,
			failed: false,
			gone: false,
		};
		lent.connect();
		return connection;
	}

	#close(connection: Connection<M>): void {
		connection.lent.shutdown();
		connection.gone = true;
		this.#policy.leave?.(connection.member);
	}

	#heard(
		connection: Connection<M>,
		state: ChannelState,
		error: Error | undefined,
	): void {
		if (connection.gone) return;
		if (error !== undefined) this.#lastError = error;
		const { ready } = connection;
		const failed =
			state === "transientFailure" ||
			(connection.failed && state !== "ready" && state !== "shutdown");
		this.#ready += Number(state === "ready") - Number(ready);
		this.#failed += Number(failed) - Number(connection.failed);
		connection.ready = state === "ready";
		connection.failed = failed;
		// Pickers know only the ready endpoints.
		const same = ready === connection.ready && this.#ready > 0;
		if (!same && !this.#updating) {
			if (this.#ready > ENOUGH) this.#publishSoon();
			else this.#publish();
		}
		if (state === "idle") connection.lent.connect();
	}

	/** Publishes later, together with further changes until then. */
	#publishSoon(): void {
		const ms = Math.max(GATHER_MS, this.#ready / READY_PER_MS);
		this.#cancelDue ??= this.#helper.after(ms, () => this.#publish());
	}

	#publish(): void {
		this.#cancelDue?.();
		this.#cancelDue = undefined;
		if (this.#ready > 0) {
			const ready: M[] = [];
			for (const connection of this.#roster.entries) {
				if (connection.ready) ready.push(connection.member);
			}
			this.#helper.publish("ready", this.#policy.picker(ready));
		} else if (this.#roster.isUpdating) {
			// Some of the remaining endpoints may become ready.
			this.#helper.publish("connecting", waitPicker);
		} else if (this.#failed === this.#roster.entries.length) {
			this.#helper.publish("transientFailure", failPicker(this.#lastError));
		} else {
			this.#helper.publish("connecting", waitPicker);
		}
	}
}
