import type {
	Balancer,
	BalancerHelper,
	ChannelState,
	Picker,
} from "../../balancer/balancer.ts";
import { preferZone } from "../../balancer/zone-preference.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import type { ChannelSetting } from "./channel-setting.ts";
import type { ChosenBalancer } from "./choose-balancer.ts";
import { guardedBalancer } from "./guarded-balancer.ts";
import type { Subchannels } from "./subchannels.ts";

/** A channel's balancer, and what the channel lends it. One of the user's own can break no call. */
export class HostedBalancer {
	readonly chosen: ChosenBalancer;
	readonly #balancer: Balancer;
	#publications = 0;
	#closed = false;

	/** Throws when the factory makes no balancer. `publish` hears nothing once it is closed. */
	constructor(
		chosen: ChosenBalancer,
		{ clock, random, localZone }: ChannelSetting,
		subchannels: Subchannels,
		publish: (state: ChannelState, picker: Picker) => void,
	) {
		const helper: BalancerHelper = {
			random,
			now: () => clock.now(),
			after: (ms, action) => {
				const timer = clock.afterIdle(ms, action);
				return () => clock.cancel(timer);
			},
			createSubchannel: (endpoint, onState) => {
				if (!this.#closed) return subchannels.make(endpoint, onState);
				// A hook may close the channel while the balancer is being updated.
				const subchannel = subchannels.make(endpoint, () => {});
				subchannel.shutdown();
				return subchannel;
			},
			publish: (state, picker) => {
				if (this.#closed) return;
				const publication = ++this.#publications;
				// Better an endpoint that was ejected than none.
				if (state !== "ready") subchannels.letIn();
				// Those let in make the balancer publish something better.
				if (publication === this.#publications) publish(state, picker);
			},
		};
		const own =
			chosen.name === undefined
				? guardedBalancer(chosen.factory)
				: chosen.factory;
		const factory = localZone === undefined ? own : preferZone(own, localZone);
		this.chosen = chosen;
		this.#balancer = factory(helper);
	}

	update(endpoints: readonly Endpoint[]): void {
		this.#balancer.update(endpoints);
	}

	exitIdle(): void {
		this.#balancer.exitIdle();
	}

	close(): void {
		this.#closed = true;
		this.#balancer.close();
	}
}
