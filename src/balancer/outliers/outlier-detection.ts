import { Code } from "@connectrpc/connect";
import { formatDuration } from "../../checks/duration.ts";
import type { Clock, Timer } from "../../policy/clock.ts";
import { codeName } from "../../policy/code.ts";
import type { CompiledOutlierDetection } from "./outlier-detection-options.ts";
import {
	failurePercentageOutliers,
	type Outlier,
	successRateOutliers,
} from "./outliers.ts";

/** An endpoint that can be taken out, and let in again. */
export interface Ejectable {
	/** From now on it gets no calls; its connection stays. */
	eject(reason: Error): void;
	uneject(reason: string): void;
}

/** One endpoint under watch. */
export interface Tracked {
	/** A call that reached the endpoint, or was lost on its connection, has ended; `code` is undefined when it went well. */
	ended(code: Code | undefined): void;
	/** The endpoint has gone: nothing is known of it any more, and neither of its functions is called again. */
	remove(): void;
}

interface Member {
	readonly endpoint: Ejectable;
	/** Since the interval began. */
	successes: number;
	failures: number;
	/** Failures since the last success. */
	inARow: number;
	/** How many times the base ejection time the last ejection was worth. */
	multiplier: number;
	/** Undefined while it is not ejected. */
	ejectedAt: number | undefined;
}

/**
 * Takes sick endpoints out of the balancing for a while (gRFC A50, and Envoy's
 * consecutive failures). With fewer than two endpoints it does nothing.
 *
 * Where this is not A50 to the letter: what counts as a failure (see
 * `OutlierDetectionOptions`); of several outliers the worst go first; the
 * percentage of the ejected stays at most `maxEjectionPercent`, where A50 stops
 * when it is passed; endpoints that are out take no part in the rates, as in
 * Envoy; and the interval begins with a call that is to be counted, so that an
 * idle channel has no timer.
 */
export class OutlierDetector {
	readonly #config: CompiledOutlierDetection;
	readonly #clock: Clock;
	readonly #random: () => number;
	readonly #members = new Set<Member>();
	/** In the order of their ejection. */
	readonly #ejected = new Set<Member>();
	/** So many endpoints are needed before the rates can say anything. */
	readonly #enoughForRates: number;
	#timer: Timer;

	/** `random`: at least 0, less than 1. */
	constructor(
		config: CompiledOutlierDetection,
		clock: Clock,
		random: () => number,
	) {
		this.#config = config;
		this.#clock = clock;
		this.#random = random;
		const { successRate, failurePercentage } = config;
		this.#enoughForRates = Math.max(
			2,
			Math.min(
				successRate?.minimumHosts ?? Number.POSITIVE_INFINITY,
				failurePercentage?.minimumHosts ?? Number.POSITIVE_INFINITY,
			),
		);
	}

	/**
	 * Watches an endpoint. When endpoints come and go together, add those that
	 * come before removing those that go: else those that stay seem to be few,
	 * and ejected ones come back early.
	 */
	add(endpoint: Ejectable): Tracked {
		const member: Member = {
			endpoint,
			successes: 0,
			failures: 0,
			inARow: 0,
			multiplier: 0,
			ejectedAt: undefined,
		};
		this.#members.add(member);
		return {
			ended: (code) => this.#ended(member, code),
			remove: () => this.#remove(member),
		};
	}

	/** Forgets all endpoints, and stops. */
	close(): void {
		this.#members.clear();
		this.#ejected.clear();
		this.#stop();
	}

	#ended(member: Member, code: Code | undefined): void {
		// Its caller let go: that says nothing of the server.
		if (code === Code.Canceled || this.#members.size < 2) return;
		if (code !== undefined && this.#config.failureCodes.has(code)) {
			member.failures += 1;
			member.inARow += 1;
			if (member.inARow >= this.#config.consecutiveFailures) {
				this.#ejectForRow(member, code);
			}
		} else {
			member.successes += 1;
			member.inARow = 0;
		}
		if (
			this.#timer === undefined &&
			this.#members.size >= this.#enoughForRates
		) {
			this.#start();
		}
	}

	#ejectForRow(member: Member, last: Code): void {
		if ((this.#ejected.size + 1) * 2 > this.#members.size) return;
		this.#eject(
			member,
			member.inARow === 1
				? `a call failed with [${codeName(last)}]`
				: `${member.inARow} calls in a row failed, the last with [${codeName(last)}]`,
		);
	}

	#remove(member: Member): void {
		if (!this.#members.delete(member)) return;
		this.#ejected.delete(member);
		const most = this.#mostEjected();
		for (const ejected of this.#ejected) {
			if (this.#ejected.size <= most) break;
			this.#uneject(ejected, "too few other endpoints are left");
		}
		if (this.#members.size < 2) this.#forget();
	}

	/** How many may be out, whatever put them there. */
	#mostEjected(): number {
		const half = Math.floor(this.#members.size / 2);
		return half === 0 ? 0 : Math.max(half, this.#mostByRate());
	}

	#mostByRate(): number {
		const { maxEjectionPercent } = this.#config;
		if (maxEjectionPercent === 0) return 0;
		const share = (this.#members.size * maxEjectionPercent) / 100;
		return Math.max(1, Math.floor(share));
	}

	/** A lone endpoint is not watched, and what was known of it is of no use later. */
	#forget(): void {
		for (const member of this.#members) {
			member.successes = 0;
			member.failures = 0;
			member.inARow = 0;
			member.multiplier = 0;
		}
		this.#stop();
	}

	#eject(member: Member, why: string): void {
		if (member.ejectedAt !== undefined || !this.#members.has(member)) return;
		member.ejectedAt = this.#clock.now();
		member.multiplier += 1;
		this.#ejected.add(member);
		this.#start();
		const lasts = formatDuration(this.#ejectionMs(member));
		member.endpoint.eject(new Error(`ejected for ${lasts}: ${why}`));
	}

	#uneject(member: Member, reason: string): void {
		member.ejectedAt = undefined;
		member.inARow = 0;
		this.#ejected.delete(member);
		member.endpoint.uneject(reason);
	}

	#ejectionMs(member: Member): number {
		const { baseEjectionMs, maxEjectionMs } = this.#config;
		return Math.min(
			baseEjectionMs * member.multiplier,
			Math.max(baseEjectionMs, maxEjectionMs),
		);
	}

	#start(): void {
		this.#timer ??= this.#clock.afterIdle(this.#config.intervalMs, () => {
			this.#timer = undefined;
			this.#look();
		});
	}

	#stop(): void {
		this.#clock.cancel(this.#timer);
		this.#timer = undefined;
	}

	/** The end of an interval. */
	#look(): void {
		const { successRate, failurePercentage } = this.#config;
		const counted = this.#counted();
		if (successRate !== undefined) {
			this.#ejectOutliers(
				successRateOutliers(counted, successRate),
				successRate.enforcementPercentage,
			);
		}
		if (failurePercentage !== undefined) {
			this.#ejectOutliers(
				failurePercentageOutliers(counted, failurePercentage),
				failurePercentage.enforcementPercentage,
			);
		}
		this.#letIn();
	}

	/** What the endpoints that are in did in the interval that ends; the next one counts from zero. */
	#counted(): {
		of: Member;
		successes: number;
		failures: number;
	}[] {
		const counted = [];
		for (const member of this.#members) {
			const { successes, failures } = member;
			if (member.ejectedAt === undefined && successes + failures > 0) {
				counted.push({ of: member, successes, failures });
			}
			member.successes = 0;
			member.failures = 0;
		}
		return counted;
	}

	#ejectOutliers(
		outliers: readonly Outlier<{ of: Member }>[],
		enforcementPercentage: number,
	): void {
		for (const { member, why } of outliers) {
			if (this.#ejected.size >= this.#mostByRate()) return;
			if (Math.floor(this.#random() * 100) < enforcementPercentage) {
				this.#eject(member.of, why);
			}
		}
	}

	/** Ejections that are over end, and those who stayed in for an interval live some of their past down. */
	#letIn(): void {
		const now = this.#clock.now();
		for (const member of this.#members) {
			if (member.ejectedAt === undefined) {
				member.multiplier = Math.max(member.multiplier - 1, 0);
			} else if (now - member.ejectedAt >= this.#ejectionMs(member)) {
				this.#uneject(member, "its ejection is over");
			}
			if (member.multiplier > 0) this.#start();
		}
	}
}
