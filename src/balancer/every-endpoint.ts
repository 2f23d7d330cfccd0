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

/** With so many that are ready, one more can wait: to know it costs as much time as there are endpoints. */
const ENOUGH = 100;

/** For so long, in milliseconds. */
const GATHER_MS = 10;

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
	#updating = false;
	/** Calls off a publication that is due. */
	#cancelDue: (() => void) | undefined;

	constructor(helper: BalancerHelper, policy: EveryEndpointPolicy<M>) {
		this.#helper = helper;
		this.#policy = policy;
	}

	update(endpoints: readonly Endpoint[]): void {
		this.#updating = true;
		this.#roster.update(endpoints);
		this.exitIdle();
		this.#updating = false;
		this.#publish();
	}

	exitIdle(): void {
		for (const { lent, ready } of this.#roster.entries) {
			if (!ready) lent.connect();
		}
	}

	close(): void {
		this.#updating = true;
		this.#cancelDue?.();
		this.#roster.clear();
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
			if (connection.ready && this.#ready > ENOUGH) this.#publishSoon();
			else this.#publish();
		}
		if (state === "idle") connection.lent.connect();
	}

	/** Together with those that become ready meanwhile. */
	#publishSoon(): void {
		this.#cancelDue ??= this.#helper.after(GATHER_MS, () => this.#publish());
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
		} else if (this.#failed === this.#roster.entries.length) {
			this.#helper.publish("transientFailure", failPicker(this.#lastError));
		} else {
			this.#helper.publish("connecting", waitPicker);
		}
	}
}
