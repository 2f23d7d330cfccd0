import type {
	Balancer,
	BalancerHelper,
	ChannelState,
	Picker,
} from "../balancer/balancer.ts";
import { preferZone } from "../balancer/zone-preference.ts";
import type { Endpoint } from "../discovery/resolver.ts";
import { shown } from "../policy/policy-error.ts";
import type { ChannelSetting } from "./channel-setting.ts";
import type { ChosenBalancer } from "./choose-balancer.ts";
import type { Subchannels } from "./subchannels.ts";

const STATES: ReadonlySet<ChannelState> = new Set([
	"idle",
	"connecting",
	"ready",
	"transientFailure",
]);

/** A channel's balancer, and what the channel lends it. One of the user's own is told what it gets wrong. */
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
			createSubchannel: (endpoint, onState) =>
				subchannels.make(endpoint, onState),
			publish: (state, picker) => {
				if (this.#closed) return;
				checkPublication(state, picker);
				const publication = ++this.#publications;
				// Better an endpoint that was ejected than none.
				if (state !== "ready") subchannels.letIn();
				// Those let in make the balancer publish something better.
				if (publication === this.#publications) publish(state, picker);
			},
		};
		const factory =
			localZone === undefined
				? chosen.factory
				: preferZone(chosen.factory, localZone);
		this.chosen = chosen;
		this.#balancer = factory(helper);
		checkBalancer(this.#balancer);
	}

	update(endpoints: readonly Endpoint[]): void {
		this.#balancer.update(endpoints);
	}

	exitIdle(): void {
		this.#balancer.exitIdle();
	}

	/** What the balancer throws becomes an uncaught exception: the channel closes all the same. */
	close(): void {
		this.#closed = true;
		try {
			this.#balancer.close();
		} catch (error) {
			queueMicrotask(() => {
				throw error;
			});
		}
	}
}

function checkBalancer(balancer: Balancer): void {
	for (const name of ["update", "exitIdle", "close"] as const) {
		if (typeof (balancer as Partial<Balancer> | null)?.[name] === "function") {
			continue;
		}
		throw new TypeError(
			`the function given as \`balancer\` made ${shown(balancer)}, which is no Balancer: it has no method \`${name}\``,
		);
	}
}

function checkPublication(state: ChannelState, picker: Picker): void {
	if (!STATES.has(state)) {
		throw new TypeError(
			`a balancer published the state ${shown(state)}; publish one of ${[...STATES].join(", ")}`,
		);
	}
	if (typeof (picker as Partial<Picker> | null)?.pick !== "function") {
		throw new TypeError(
			`a balancer published ${shown(picker)}, which is no Picker: an object with a method \`pick\``,
		);
	}
}
