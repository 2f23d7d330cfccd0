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

/** What a policy knows of an endpoint for as long as the resolver names it, through all its connections. */
export interface Member {
	readonly subchannel: Subchannel;
	weight: number;
}

/** What tells one policy over all endpoints from another. */
export interface EveryEndpointPolicy<M extends Member> {
	join(subchannel: Subchannel, weight: number): M;
	/** Over those that are ready, at least one, in the resolver's order. */
	picker(ready: readonly M[]): Picker;
	/** The resolver names it no more. */
	leave?(member: M): void;
}

/** With so many that are ready, one more or less can wait: to know it costs as much time as there are endpoints. */
const ENOUGH = 100;

/** For so long, in milliseconds. */
const GATHER_MS = 10;

/** Or longer, with many: a millisecond for so many that are ready. */
const READY_PER_MS = 500;

type Lent = ReturnType<BalancerHelper["createSubchannel"]>;

interface Connection<M> {
	readonly lent: Lent;
	readonly member: M;
	ready: boolean;
	/** From a failure until it is ready again, through all attempts (gRFC A48, "Aggregated Connectivity State"). */
	failed: boolean;
	gone: boolean;
}

/** Keeps a connection to every endpoint, for a policy that chooses among those that are ready. */
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
	/** No publication, until it is over. */
	#updating = false;
	#closed = false;
	/** Calls off the next slice of an update. */
	#cancelUpdate: () => void = () => {};
	/** Calls off a publication that is due. */
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

	/** Does a part of an update, and puts off the next. Meanwhile calls go on to those that stand. */
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
		// Those that are ready are what a picker knows.
		const same = ready === connection.ready && this.#ready > 0;
		if (!same && !this.#updating) {
			if (this.#ready > ENOUGH) this.#publishSoon();
			else this.#publish();
		}
		if (state === "idle") connection.lent.connect();
	}

	/** Together with those that become ready, or are lost, meanwhile. */
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
			// There may be some among those to come.
			this.#helper.publish("connecting", waitPicker);
		} else if (this.#failed === this.#roster.entries.length) {
			this.#helper.publish("transientFailure", failPicker(this.#lastError));
		} else {
			this.#helper.publish("connecting", waitPicker);
		}
	}
}
