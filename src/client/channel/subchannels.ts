import type { Code } from "@connectrpc/connect";
import type {
	ChannelState,
	Picker,
	PickInfo,
} from "../../balancer/balancer.ts";
import {
	OutlierDetector,
	type Tracked,
} from "../../balancer/outliers/outlier-detection.ts";
import type { Endpoint } from "../../discovery/resolver.ts";
import { parseAddress } from "../../discovery/targets/address.ts";
import type { ClientConnection } from "../../wire/connection.ts";
import { type AdmittedPick, admittedPick } from "../endpoint/admitted-pick.ts";
import { CircuitBreakers } from "../endpoint/circuit-breaker.ts";
import {
	EndpointSubchannel,
	type SubchannelOwner,
} from "../endpoint/subchannel.ts";
import type { ChannelSetting } from "./channel-setting.ts";
import { outsideCalls } from "./outside-calls.ts";

/** Who has subchannels. */
export interface SubchannelsOwner {
	/** There may be a new connection to be had, or a reason why there is none. */
	failed(error: Error): void;
	/** Without a call, connections that end are not made again. */
	readonly hasCalls: boolean;
	/** One more waits for a call before it connects again. */
	rests(): void;
	/** One has lost a connection, or could make none: its endpoint may have moved. */
	lost(): void;
	/** The peer of a connection with calls on it does not answer. */
	silent(connection: ClientConnection): void;
	/** It was heard again, or is gone. */
	silenceOver(connection: ClientConnection): void;
}

/** How the subchannels of a balancer are watched over. */
export interface Supervision {
	/** A policy that sticks to one endpoint is told neither of ejections nor of health (gRFC A50, A17). */
	readonly sticky: boolean;
	/** Whose health is asked for (gRFC A17). */
	readonly healthService: string | undefined;
}

/** Of each subchannel. */
interface Kept {
	readonly onState: OnState;
	readonly tracked: Tracked | undefined;
}

type OnState = (state: ChannelState, error?: Error) => void;

/** So often a picker is asked again that has picked an endpoint that is not ready. */
const REPICKS = 8;

/** Messages name so many endpoints, and count the others. */
const NAMED = 5;

/** The subchannels of a channel: which of them are sick is found out here, and balancers need not know of it. */
export class Subchannels {
	readonly #setting: ChannelSetting;
	readonly #owner: SubchannelsOwner;
	readonly #all = new Map<EndpointSubchannel, Kept>();
	/** Those of them that outlier detection has taken out. */
	readonly #ejected = new Set<EndpointSubchannel>();
	/** Their connections have ended, and no call has come since. */
	readonly #resting = new Set<EndpointSubchannel>();
	/** Made when it is asked for: every call that fails does. */
	#addresses: string | undefined;
	readonly #outliers: OutlierDetector | undefined;
	readonly #breakers: CircuitBreakers<EndpointSubchannel> | undefined;
	/** Of all of them: there may be many. */
	readonly #told: SubchannelOwner;
	#supervision: Supervision = { sticky: false, healthService: undefined };

	constructor(setting: ChannelSetting, owner: SubchannelsOwner) {
		this.#setting = setting;
		this.#owner = owner;
		const { clock, random, hooks, outlierDetection, circuitBreaker } = setting;
		this.#outliers =
			outlierDetection && new OutlierDetector(outlierDetection, clock, random);
		this.#breakers =
			circuitBreaker &&
			new CircuitBreakers(circuitBreaker, clock, ({ endpoint }, state, why) =>
				hooks.endpointState?.(endpoint, state, why),
			);
		this.#told = {
			entered: (state, error, subchannel) =>
				this.#entered(subchannel, state, error),
			rests: (subchannel) => this.#rests(subchannel),
			lostOne: () => owner.lost(),
			silent: (connection) => owner.silent(connection),
			silenceOver: (connection) => owner.silenceOver(connection),
		};
	}

	/** Their addresses: for messages. */
	get addresses(): string {
		this.#addresses ??= this.#firstAddresses();
		return this.#addresses;
	}

	/** Of those that are made from now on; the health service also of those that there are. */
	set supervision(supervision: Supervision) {
		const before = healthServiceOf(this.#supervision);
		this.#supervision = supervision;
		if (healthServiceOf(supervision) === before) return;
		for (const subchannel of this.#all.keys()) {
			subchannel.healthService = healthServiceOf(supervision);
		}
	}

	make(endpoint: Endpoint, onState: OnState): EndpointSubchannel {
		const supervision = this.#supervision;
		const subchannel = new EndpointSubchannel(
			endpoint,
			addressesOf(endpoint),
			this.#setting,
			this.#told,
			healthServiceOf(supervision),
		);
		const tracked = supervision.sticky ? undefined : this.#track(subchannel);
		this.#all.set(subchannel, { onState, tracked });
		this.#addresses = undefined;
		return subchannel;
	}

	/** An attempt that was sent has ended; `code` is undefined when it went well. */
	attemptEnded(subchannel: EndpointSubchannel, code: Code | undefined): void {
		this.#all.get(subchannel)?.tracked?.ended(code);
	}

	/** What the picker picks, unless the circuit breaker of the method is open there; then another, if there is one. */
	pick(info: PickInfo, picker: Picker): AdmittedPick {
		const { dials } = this.#setting;
		dials.calling = true;
		try {
			let pick = this.#pickOnce(info, picker);
			// Where there are many, a picker may know of one that has been lost for some milliseconds more.
			for (
				let again = REPICKS;
				again > 0 &&
				pick.kind === "subchannel" &&
				pick.subchannel.state !== "ready";
				again--
			) {
				pick.unused?.();
				pick = this.#pickOnce(info, picker);
			}
			return pick;
		} finally {
			dials.calling = false;
		}
	}

	#pickOnce(info: PickInfo, picker: Picker): AdmittedPick {
		return this.#breakers === undefined
			? picker.pick(info)
			: admittedPick(this.#breakers, info, picker);
	}

	/** Lets those in again that are ejected and have a connection. */
	letIn(): void {
		for (const subchannel of [...this.#ejected]) {
			if (!subchannel.isEjected || !subchannel.isConnected) continue;
			this.#setting.hooks.endpointState?.(
				subchannel.endpoint,
				"uneject",
				"no other endpoint is ready",
			);
			this.#unejected(subchannel);
		}
	}

	/** All of them, and there are some. */
	get areResting(): boolean {
		return this.#resting.size > 0 && this.#resting.size === this.#all.size;
	}

	/** A call has come: those that rest connect. */
	wake(): void {
		if (this.#resting.size === 0) return;
		const resting = [...this.#resting];
		this.#resting.clear();
		outsideCalls(() => {
			for (const subchannel of resting) subchannel.resume();
		});
	}

	/** The calls that wait for room, with whichever endpoint. */
	get waiting(): number {
		let all = 0;
		for (const { queued } of this.#all.keys()) all += queued;
		return all;
	}

	snapshot(): object[] {
		return [...this.#all.keys()].map((subchannel) => ({
			...subchannel.snapshot(),
			openBreakers: this.#breakers?.openAt(subchannel) ?? [],
		}));
	}

	#firstAddresses(): string {
		const names: string[] = [];
		for (const { name } of this.#all.keys()) {
			if (names.push(name) === NAMED) break;
		}
		const more = this.#all.size - names.length;
		return more > 0 ? `${names.join(", ")} and ${more} more` : names.join(", ");
	}

	#entered(
		subchannel: EndpointSubchannel,
		state: ChannelState,
		error: Error | undefined,
	): void {
		const kept = this.#all.get(subchannel);
		if (error !== undefined) this.#owner.failed(error);
		if (state === "shutdown") this.#forget(subchannel);
		const { endpoint } = subchannel;
		const message = error?.message ?? "";
		this.#setting.hooks.endpointState?.(endpoint, state, message);
		kept?.onState(state, error);
		// One that is unhealthy or ejected is still where it was.
		if (subchannel.isConnected) return;
		if (state === "idle" || state === "transientFailure") this.#owner.lost();
	}

	#track(subchannel: EndpointSubchannel): Tracked | undefined {
		const { endpoint } = subchannel;
		const hook = this.#setting.hooks.endpointState;
		return this.#outliers?.add({
			eject: (reason) => {
				hook?.(endpoint, "ejected", reason.message);
				this.#ejected.add(subchannel);
				subchannel.eject(reason);
			},
			uneject: (reason) => {
				// It may have been let in before its time.
				if (!subchannel.isEjected) return;
				hook?.(endpoint, "uneject", reason);
				this.#unejected(subchannel);
			},
		});
	}

	#unejected(subchannel: EndpointSubchannel): void {
		this.#ejected.delete(subchannel);
		subchannel.uneject();
	}

	#rests(subchannel: EndpointSubchannel): boolean {
		if (this.#owner.hasCalls) return false;
		this.#resting.add(subchannel);
		this.#owner.rests();
		return true;
	}

	#forget(subchannel: EndpointSubchannel): void {
		this.#resting.delete(subchannel);
		this.#all.get(subchannel)?.tracked?.remove();
		this.#all.delete(subchannel);
		this.#ejected.delete(subchannel);
		this.#addresses = undefined;
	}
}

function healthServiceOf(supervision: Supervision): string | undefined {
	return supervision.sticky ? undefined : supervision.healthService;
}

/** Throws for an endpoint with an address that is none. */
export function addressesOf({
	address,
}: Endpoint): ReturnType<typeof parseAddress>[] {
	const all = typeof address === "string" ? [address] : address;
	return all.map((one) => parseAddress(one, `address ${one}`));
}
