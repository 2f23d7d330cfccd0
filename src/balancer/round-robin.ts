import type { Endpoint } from "../discovery/resolver.ts";
import type {
	Balancer,
	BalancerFactory,
	BalancerHelper,
	ChannelState,
	Pick,
	Picker,
	Subchannel,
} from "./balancer.ts";
import { byKey } from "./endpoint-key.ts";
import { failPicker, waitPicker } from "./fixed-picker.ts";

/**
 * Keeps a connection to every endpoint, and gives them the calls in turn
 * (grpc/load-balancing, "round_robin").
 */
export const roundRobin: BalancerFactory = (helper) => new RoundRobin(helper);

type Member = ReturnType<BalancerHelper["createSubchannel"]>;

class RoundRobin implements Balancer {
	readonly #helper: BalancerHelper;
	#members = new Map<string, Member>();
	#lastError = new Error("no connection has been tried yet");
	/** gRPC: once in failure, a channel reports it until a connection is ready. */
	#failing = false;
	#updating = false;

	constructor(helper: BalancerHelper) {
		this.#helper = helper;
	}

	update(endpoints: readonly Endpoint[]): void {
		const wanted = byKey(endpoints);
		const before = this.#members;
		this.#updating = true;
		this.#members = new Map();
		for (const [key, endpoint] of wanted) {
			this.#members.set(key, before.get(key) ?? this.#member(endpoint));
		}
		for (const [key, member] of before) {
			if (!wanted.has(key)) member.shutdown();
		}
		for (const member of this.#members.values()) member.connect();
		this.#updating = false;
		this.#publish();
	}

	exitIdle(): void {
		for (const member of this.#members.values()) member.connect();
	}

	close(): void {
		for (const member of this.#members.values()) member.shutdown();
		this.#members.clear();
	}

	#member(endpoint: Endpoint): Member {
		const member: Member = this.#helper.createSubchannel(
			endpoint,
			(state, error) => {
				if (error !== undefined) this.#lastError = error;
				if (state === "idle") member.connect();
				if (state !== "shutdown" && !this.#updating) this.#publish();
			},
		);
		return member;
	}

	#publish(): void {
		const states = new Set<ChannelState>();
		const ready: Subchannel[] = [];
		for (const member of this.#members.values()) {
			states.add(member.state);
			if (member.state === "ready") ready.push(member);
		}
		if (ready.length > 0) {
			this.#failing = false;
			const start = Math.floor(this.#helper.random() * ready.length);
			this.#helper.publish("ready", new TurnPicker(ready, start));
		} else if (
			this.#failing ||
			!(states.has("connecting") || states.has("idle"))
		) {
			this.#failing = true;
			this.#helper.publish("transientFailure", failPicker(this.#lastError));
		} else {
			this.#helper.publish("connecting", waitPicker);
		}
	}
}

class TurnPicker implements Picker {
	readonly #picks: readonly Pick[];
	#next: number;

	constructor(ready: readonly Subchannel[], start: number) {
		this.#picks = ready.map((subchannel) => ({
			kind: "subchannel",
			subchannel,
		}));
		this.#next = start;
	}

	pick(): Pick {
		const pick = this.#picks[this.#next] as Pick;
		this.#next = (this.#next + 1) % this.#picks.length;
		return pick;
	}
}
