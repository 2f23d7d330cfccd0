import type {
	Balancer,
	BalancerFactory,
	BalancerHelper,
	ChannelState,
	Pick,
	Picker,
	PickInfo,
	Subchannel,
} from "../../balancer/balancer.ts";
import { shown } from "../../checks/option-error.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import { guarded, printRejection } from "../../policy/guarded.ts";

type OwnSubchannel = ReturnType<BalancerHelper["createSubchannel"]>;
type SubchannelPick = Extract<Pick, { kind: "subchannel" }>;
type Outcome = Parameters<NonNullable<SubchannelPick["ended"]>>[0];

const STATES: ReadonlySet<ChannelState> = new Set([
	"idle",
	"connecting",
	"ready",
	"transientFailure",
]);

const PICKS: ReadonlySet<Pick["kind"] | undefined> = new Set([
	"subchannel",
	"wait",
	"fail",
	"drop",
]);

/**
 * Wraps a custom balancer, so that its mistakes affect nothing but the picks that it does not make. Mistakes are reported. Built-in
 * balancers do not need this.
 */
export function guardedBalancer(factory: BalancerFactory): BalancerFactory {
	return (helper) => new GuardedBalancer(factory, helper);
}

class GuardedBalancer implements Balancer {
	readonly #helper: BalancerHelper;
	readonly #balancer: Balancer;
	/** The subchannels that it has made and not shut down. */
	readonly #subchannels = new Set<OwnSubchannel>();
	readonly #known = new WeakSet<Subchannel>();
	#closed = false;

	constructor(factory: BalancerFactory, helper: BalancerHelper) {
		this.#helper = helper;
		try {
			const made: unknown = factory(this.#lent(helper));
			printRejection(made, "the function given as `balancer`");
			checkBalancer(made);
			this.#balancer = made;
		} catch (error) {
			this.#leave();
			throw error;
		}
	}

	/** Throws what the balancer throws. The channel then keeps its present picker. */
	update(endpoints: readonly Endpoint[]): void {
		printRejection(this.#balancer.update(endpoints), "`update` of a balancer");
	}

	exitIdle(): void {
		guarded(() => this.#balancer.exitIdle(), "`exitIdle` of a balancer")();
	}

	/** Closes the balancer, and shuts down the subchannels that it leaves behind. */
	close(): void {
		guarded(() => this.#balancer.close(), "`close` of a balancer")();
		this.#leave();
	}

	#leave(): void {
		this.#closed = true;
		for (const subchannel of [...this.#subchannels]) subchannel.shutdown();
	}

	/** The helper for the custom balancer. */
	#lent(helper: BalancerHelper): BalancerHelper {
		return {
			random: () => helper.random(),
			now: () => helper.now(),
			after: (ms, action) =>
				helper.after(
					ms,
					guarded(action, "what a balancer does `after` a time"),
				),
			createSubchannel: (endpoint, onState) =>
				this.#createSubchannel(endpoint, onState),
			publish: (state, picker) => {
				checkPublication(state, picker);
				helper.publish(state, new GuardedPicker(picker, this.#known));
			},
		};
	}

	#createSubchannel(
		endpoint: Endpoint,
		onState: (state: ChannelState, error?: Error) => void,
	): OwnSubchannel {
		const tell = guarded(onState, "`onState` of a balancer");
		const subchannel = this.#helper.createSubchannel(endpoint, (...now) => {
			if (now[0] === "shutdown") this.#subchannels.delete(subchannel);
			tell(...now);
		});
		this.#known.add(subchannel);
		this.#subchannels.add(subchannel);
		if (this.#closed) subchannel.shutdown();
		return subchannel;
	}
}

class GuardedPicker implements Picker {
	readonly #picker: Picker;
	readonly #known: WeakSet<Subchannel>;

	constructor(picker: Picker, known: WeakSet<Subchannel>) {
		this.#picker = picker;
		this.#known = known;
	}

	/** Throws what the picker throws, and TypeError for an invalid answer. */
	pick(call: PickInfo): Pick {
		const pick = this.#picker.pick(call);
		if (!PICKS.has((pick as Partial<Pick> | undefined)?.kind)) {
			printRejection(pick, "`pick` of a picker");
			throw new TypeError(
				`the picker answered ${shown(pick)}, which is no Pick`,
			);
		}
		if (pick.kind !== "subchannel") return pick;
		if (!this.#known.has(pick.subchannel)) {
			throw new TypeError(
				`the picker picked ${shown(pick.subchannel)}, which this balancer's createSubchannel has not returned; pick the very object that it returned, and no wrapper of it`,
			);
		}
		return pick.started === undefined && pick.ended === undefined
			? pick
			: new GuardedPick(pick);
	}
}

class GuardedPick {
	readonly kind = "subchannel";
	readonly subchannel: Subchannel;
	readonly #pick: SubchannelPick;

	constructor(pick: SubchannelPick) {
		this.subchannel = pick.subchannel;
		this.#pick = pick;
	}

	started(): void {
		guarded(() => this.#pick.started?.(), "`started` of a pick")();
	}

	ended(outcome: Outcome): void {
		guarded(() => this.#pick.ended?.(outcome), "`ended` of a pick")();
	}
}

function checkBalancer(balancer: unknown): asserts balancer is Balancer {
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
