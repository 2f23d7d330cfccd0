import type {
	BalancerHelper,
	ChannelState,
	Pick,
	Picker,
	PickInfo,
	Subchannel,
} from "../../src/balancer/balancer.ts";
import type { Endpoint } from "../../src/discovery/resolver.ts";
import { EchoService } from "../services/gen/echo/echo_pb.ts";
import { FakeClock } from "./fake-clock.ts";

/** A subchannel whose state a test sets. */
export class FakeSubchannel implements Subchannel {
	readonly endpoint: Endpoint;
	/** How often `connect` was called in the state "idle". */
	attempts = 0;
	readonly #onState: (state: ChannelState, error?: Error) => void;
	#state: ChannelState = "idle";

	constructor(
		endpoint: Endpoint,
		onState: (state: ChannelState, error?: Error) => void,
	) {
		this.endpoint = endpoint;
		this.#onState = onState;
	}

	get state(): ChannelState {
		return this.#state;
	}

	connect(): void {
		if (this.#state !== "idle") return;
		this.attempts += 1;
		this.becomes("connecting");
	}

	shutdown(): void {
		if (this.#state !== "shutdown") this.becomes("shutdown");
	}

	becomes(state: ChannelState, error?: Error): void {
		this.#state = state;
		this.#onState(state, error);
	}

	fails(message: string): void {
		this.becomes("transientFailure", new Error(message));
	}
}

/** A BalancerHelper that records what the balancer does. */
export class FakeBalancerHelper implements BalancerHelper {
	/** All subchannels that were made, in order. */
	readonly made: FakeSubchannel[] = [];
	/** The published states, without repetitions. */
	readonly states: ChannelState[] = [];
	picker: Picker | undefined;
	random: () => number = () => 0;
	readonly clock = new FakeClock();
	now: () => number = () => this.clock.now();

	createSubchannel(
		endpoint: Endpoint,
		onState: (state: ChannelState, error?: Error) => void,
	): FakeSubchannel {
		const subchannel = new FakeSubchannel(endpoint, onState);
		this.made.push(subchannel);
		return subchannel;
	}

	publish(state: ChannelState, picker: Picker): void {
		if (this.states.at(-1) !== state) this.states.push(state);
		this.picker = picker;
	}

	after(ms: number, action: () => void): () => void {
		const timer = this.clock.afterIdle(ms, action);
		return () => this.clock.cancel(timer);
	}

	/** The newest subchannel for an address. */
	of(address: string): FakeSubchannel {
		const found = this.made.findLast(
			({ endpoint }) => endpoint.address === address,
		);
		if (found === undefined) throw new Error(`no subchannel of ${address}`);
		return found;
	}

	/** The addresses of all subchannels that are not shut down. */
	get alive(): Endpoint["address"][] {
		return this.made
			.filter(({ state }) => state !== "shutdown")
			.map(({ endpoint }) => endpoint.address);
	}

	/** Connects all subchannels that can connect. */
	allReady(): void {
		for (const subchannel of this.made) {
			if (subchannel.state === "connecting") subchannel.becomes("ready");
		}
	}

	pick(call: Partial<PickInfo> = {}): Pick {
		if (this.picker === undefined) throw new Error("nothing was published");
		return this.picker.pick({ ...anyCall, ...call });
	}

	/** Picks for a call. Returns the address, or what happens to the call instead. */
	next(call?: Partial<PickInfo>): string {
		const pick = this.pick(call);
		switch (pick.kind) {
			case "subchannel":
				return String(pick.subchannel.endpoint.address);
			case "wait":
				return "wait";
			default:
				return `${pick.kind}: ${pick.error.message}`;
		}
	}
}

export const anyCall: PickInfo = {
	method: EchoService.method.echo,
	hashKey: undefined,
	header: new Headers(),
	tried: new Set(),
};

/** A call that has tried these subchannels. */
export function tried(...subchannels: Subchannel[]): Partial<PickInfo> {
	return { tried: new Set(subchannels) };
}

export function endpoints(...addresses: string[]): Endpoint[] {
	return addresses.map((address) => ({ address }));
}
