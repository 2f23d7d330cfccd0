import type { DescMethod } from "@bufbuild/protobuf";
import type {
	Pick,
	Picker,
	PickInfo,
	Subchannel,
} from "../../balancer/balancer.ts";
import type { CircuitBreakers, Permit } from "./circuit-breaker.ts";
import type { EndpointSubchannel } from "./subchannel.ts";

/** A pick that may have been let through by a circuit breaker. */
export type AdmittedPick = Pick & {
	/** Instead of `started` and `ended`, when the call cannot be sent after all. */
	unused?(): void;
};

type Breakers = CircuitBreakers<EndpointSubchannel>;
type SubchannelPick = Extract<Pick, { kind: "subchannel" }>;
type Outcome = Parameters<NonNullable<SubchannelPick["ended"]>>[0];

/** Endpoints with an open breaker that a call goes past, before it is refused. */
const MAX_DETOURS = 8;

/** What the picker picks, unless the circuit breaker of the method is open there; then another, if there is one. */
export function admittedPick(
	breakers: Breakers,
	info: PickInfo,
	picker: Picker,
): AdmittedPick {
	const { method } = info;
	const first = picker.pick(info);
	const admitted = admit(breakers, method, first);
	if (admitted !== undefined) return admitted;
	const { hashKey, header } = info;
	const tried = new Set(info.tried);
	let refused = first as SubchannelPick;
	for (let detour = 0; detour < MAX_DETOURS; detour++) {
		if (tried.has(refused.subchannel)) break;
		tried.add(refused.subchannel);
		const next = picker.pick({ method, hashKey, header, tried });
		const admitted = admit(breakers, method, next);
		if (admitted !== undefined) return admitted;
		refused = next as SubchannelPick;
	}
	const subchannel = refused.subchannel as EndpointSubchannel;
	const error = breakers.refusal(method, subchannel, subchannel.name);
	return { kind: "drop", error };
}

/** undefined: the breaker lets nothing through. */
function admit(
	breakers: Breakers,
	method: DescMethod,
	pick: Pick,
): AdmittedPick | undefined {
	if (pick?.kind !== "subchannel") return pick;
	const subchannel = pick.subchannel as EndpointSubchannel;
	// Without a connection the call is not sent, and holds no permit.
	if (subchannel.connection === undefined) return pick;
	const permit = breakers.admit(method, subchannel);
	return permit && new PermittedPick(pick, permit);
}

class PermittedPick {
	readonly kind = "subchannel";
	readonly subchannel: Subchannel;
	readonly #pick: SubchannelPick;
	readonly #permit: Permit;

	constructor(pick: SubchannelPick, permit: Permit) {
		this.subchannel = pick.subchannel;
		this.#pick = pick;
		this.#permit = permit;
	}

	started(): void {
		this.#pick.started?.();
	}

	ended(outcome: Outcome): void {
		this.#pick.ended?.(outcome);
		if (outcome.sent) this.#permit.ended(outcome.code);
		else this.#permit.unused();
	}

	unused(): void {
		this.#permit.unused();
	}
}
