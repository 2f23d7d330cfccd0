import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type {
	ChannelState,
	Pick,
	Picker,
	PickInfo,
} from "../../balancer/balancer.ts";
import {
	FixedPicker,
	failPicker,
	waitPicker,
} from "../../balancer/fixed-picker.ts";
import { pickFirst } from "../../balancer/pick-first.ts";
import type { Resolution } from "../../discovery/resolver.ts";
import { builtinRetryThrottling } from "../../policy/builtin-policy.ts";
import type { Timer } from "../../policy/clock.ts";
import { Deadlines } from "../../policy/deadlines.ts";
import { guarded } from "../../policy/guarded.ts";
import { RetryThrottle } from "../../policy/retry/retry-throttle.ts";
import type {
	CompiledServiceConfig,
	RetryThrottling,
} from "../../policy/service-config.ts";
import { showable } from "../../policy/showable.ts";
import type { ClientConnection } from "../../wire/connection.ts";
import { ACCEPT_ENCODING } from "../../wire/gzip/gzip.ts";
import { GzipTurns } from "../../wire/gzip/gzip-turns.ts";
import { PreparedHead } from "../../wire/prepared-head.ts";
import type { AdmittedPick } from "../endpoint/admitted-pick.ts";
import { WaitingCalls } from "../endpoint/waiting-calls.ts";
import { type CallLimit, callLimitOf } from "./call-limit.ts";
import type { ChannelSetting } from "./channel-setting.ts";
import { sameBalancer } from "./choose-balancer.ts";
import { HostedBalancer } from "./hosted-balancer.ts";
import { outsideCalls } from "./outside-calls.ts";
import { RequestBuffer, RetryBudget } from "./request-buffer.ts";
import { ResolutionWatch } from "./resolution-watch.ts";
import { ServiceConfigs } from "./service-configs.ts";
import { Subchannels } from "./subchannels.ts";

/** A call, as far as its channel knows it. */
export interface ChannelCall {
	/** Ends the call with `error`. */
	abandon(error: Error): void;
	/** The peer of this connection does not answer: a call that can go elsewhere does. */
	connectionSilent(connection: ClientConnection): void;
}

/** Longer than any process waits for a connection. */
const FOREVER_MS = 2 ** 31 - 1;

/** What a channel is inside: a resolver, a balancer, the subchannels, and the calls that wait for them. */
export class ChannelCore {
	readonly setting: ChannelSetting;
	#state: ChannelState = "idle";
	#listeners = new Set<(state: ChannelState) => void>();
	#picker: Picker = waitPicker;
	#watch: ResolutionWatch | undefined;
	#balancer: HostedBalancer | undefined;
	readonly #serviceConfigs: ServiceConfigs;
	readonly subchannels: Subchannels;
	/** Undefined without `maxConcurrentCalls`. */
	readonly callLimit: CallLimit | undefined;
	readonly deadlines: Deadlines;
	readonly gzip: GzipTurns;
	readonly retryThrottle: RetryThrottle;
	readonly #retryBudget: RetryBudget;
	#resolved = false;
	#lastError: Error | undefined;
	readonly #heads = new Map<DescMethod, PreparedHead>();
	/** They ask again whenever there is a new picker. */
	readonly waiting: WaitingCalls;
	readonly #calls = new Set<ChannelCall>();
	/** Calls on them that can go elsewhere do, once there is another connection. */
	readonly #silent = new Set<ClientConnection>();
	#idleTimer: Timer;
	#lastCallAt = 0;
	#whenEmpty: (() => void) | undefined;
	#closing: Promise<void> | undefined;

	constructor(setting: ChannelSetting) {
		this.setting = setting;
		this.#serviceConfigs = new ServiceConfigs(setting, (error) =>
			setting.hooks.resolved?.({ error }),
		);
		const core = this;
		this.subchannels = new Subchannels(setting, {
			get hasCalls() {
				return core.#calls.size > 0;
			},
			rests: () => {
				if (this.#state === "connecting" && this.subchannels.areResting) {
					this.#enter("idle", this.#picker);
				}
			},
			failed: (error) => {
				this.#lastError = error;
			},
			lost: () => this.#watch?.refresh(),
			silent: (connection) => {
				this.#silent.add(connection);
				if (this.#state === "idle") this.exitIdle();
				this.#leaveSilent();
			},
			silenceOver: (connection) => this.#silent.delete(connection),
		});
		this.waiting = new WaitingCalls(setting.clock);
		this.callLimit = callLimitOf(setting);
		this.deadlines = new Deadlines(setting.clock);
		this.gzip = new GzipTurns(setting.gzipLimits);
		this.retryThrottle = new RetryThrottle(this.#throttling());
		this.#retryBudget = new RetryBudget(setting.retryBufferBytes);
	}

	get state(): ChannelState {
		return this.#state;
	}

	/** The resolver's and the option's, the nearer first: the same list until it changes. */
	get serviceConfigs(): readonly CompiledServiceConfig[] {
		return this.#serviceConfigs.nearestFirst;
	}

	/** What went wrong last on the way to a connection. */
	get lastError(): Error | undefined {
		return this.#lastError;
	}

	/** Why calls fail, where all do. */
	get failure(): Error | undefined {
		const picker = this.#picker;
		return picker instanceof FixedPicker && picker.answer.kind === "fail"
			? picker.answer.error
			: undefined;
	}

	/** Where calls that wait are: for messages. */
	get progress(): string {
		if (!this.#resolved) return `resolving ${this.setting.name}`;
		const names = this.addresses;
		return `waiting for a connection to ${names === "" ? this.setting.name : names}`;
	}

	/** The addresses of the endpoints: for messages. */
	get addresses(): string {
		return this.subchannels.addresses;
	}

	onStateChange(listener: (state: ChannelState) => void): () => void {
		const entry = guarded(listener, "a listener of onStateChange");
		this.#listeners.add(entry);
		return () => this.#listeners.delete(entry);
	}

	/** The headers that all calls of a method share. */
	headOf(method: DescMethod): PreparedHead {
		let head = this.#heads.get(method);
		if (head === undefined) {
			const { scheme, authority, userAgent, compression } = this.setting;
			head = new PreparedHead({
				scheme,
				authority,
				path: `/${method.parent.typeName}/${method.name}`,
				userAgent,
				acceptEncoding: ACCEPT_ENCODING,
				encoding: compression,
			});
			this.#heads.set(method, head);
		}
		return head;
	}

	/** Where a new call keeps its request. */
	newRequestBuffer(): RequestBuffer {
		return new RequestBuffer(
			this.#retryBudget,
			this.setting.retryBufferBytesPerCall,
		);
	}

	/** Counts a call in; false once the channel is closing. */
	enter(call: ChannelCall): boolean {
		if (this.#closing !== undefined) return false;
		this.#calls.add(call);
		this.subchannels.wake();
		return true;
	}

	leave(call: ChannelCall): void {
		this.#calls.delete(call);
		if (this.#calls.size > 0) return;
		this.#lastCallAt = this.setting.clock.now();
		this.#whenEmpty?.();
	}

	pick(info: PickInfo): AdmittedPick {
		if (this.#state === "idle") this.exitIdle();
		try {
			return this.subchannels.pick(info, this.#picker);
		} catch (thrown) {
			const error = ConnectError.from(showable(thrown), Code.Internal);
			return { kind: "drop", error };
		}
	}

	/** A pick that had to wait for room. */
	admit(info: PickInfo, pick: Pick): AdmittedPick {
		return this.subchannels.pick(info, new FixedPicker(pick));
	}

	exitIdle(): void {
		if (this.#state === "shutdown") return;
		if (this.#watch !== undefined) {
			this.subchannels.wake();
			this.#balancer?.exitIdle();
			return;
		}
		outsideCalls(() => this.#start());
	}

	/** Resolves when the channel is ready; rejects with the last error when `signal` fires. */
	connect(signal: AbortSignal | undefined): Promise<void> {
		this.subchannels.wake();
		return new Promise((resolve, reject) => {
			const look = (): void => {
				if (this.#state === "ready") settle(resolve);
				else if (this.#state === "shutdown") settle(() => reject(closed()));
				else if (this.#state === "idle") this.exitIdle();
			};
			const abort = (): void =>
				settle(() => reject(this.#lastError ?? signal?.reason));
			const awake = this.setting.clock.after(FOREVER_MS, () => {});
			const stop = this.onStateChange(look);
			const settle = (then: () => void): void => {
				stop();
				this.setting.clock.cancel(awake);
				signal?.removeEventListener("abort", abort);
				then();
			};
			signal?.addEventListener("abort", abort);
			if (signal?.aborted) {
				abort();
				return;
			}
			look();
		});
	}

	/** No new calls; those in flight finish; those left after `graceMs` are cancelled. */
	close(graceMs: number): Promise<void> {
		if (this.#closing === undefined) {
			// First of all: a hook that hears of the end of a call may make another, or close the channel itself.
			const { promise, resolve, reject } = Promise.withResolvers<void>();
			this.#closing = promise;
			outsideCalls(() => this.#close(graceMs)).then(resolve, reject);
		}
		return this.#closing;
	}

	snapshot(): object {
		return {
			target: this.setting.name,
			state: this.#state,
			callsInFlight: this.#calls.size,
			callsWaiting: this.waiting.size + this.subchannels.waiting,
			callsQueued: this.callLimit?.waiting ?? 0,
			retryTokens: this.retryThrottle.tokens,
			retryBufferBytes: this.#retryBudget.usedBytes,
			...this.gzip.counts,
			endpoints: this.subchannels.snapshot(),
			lastError: this.#lastError?.message,
		};
	}

	#start(): void {
		const { resolver, clock, random, hooks } = this.setting;
		this.#resolved = false;
		this.#lastCallAt = clock.now();
		this.#enter("connecting", waitPicker);
		// A listener that has heard of it may have closed the channel; so below.
		if (this.#isShutdown) return;
		this.#armIdleTimer(this.setting.idleTimeoutMs);
		this.#watch = new ResolutionWatch(resolver, clock, random, {
			resolved: (resolution) => this.#resolvedTo(resolution),
			failed: (error) => this.#resolutionFailed(error),
			reported: (error) => hooks.resolved?.({ error }),
		});
	}

	#resolvedTo(resolution: Resolution): void {
		try {
			this.#adopt(resolution);
		} catch (error) {
			this.#resolutionFailed(error as Error);
		}
	}

	/** Throws if the resolution is no good; then all stays as it was. */
	#adopt(resolution: Resolution): void {
		const { endpoints, reason, serviceConfig } = resolution;
		if (endpoints.length === 0) {
			throw reason ?? new Error(`${this.setting.name} has no endpoints`);
		}
		const configsBefore = this.serviceConfigs;
		const chosen = this.#serviceConfigs.adopt(serviceConfig);
		this.retryThrottle.reconfigure(this.#throttling());
		this.setting.hooks.resolved?.(resolution);
		if (this.#isShutdown) return;
		this.subchannels.supervision = {
			sticky: chosen.name === "pick_first" || chosen.factory === pickFirst,
			healthService: this.#healthService(),
		};
		if (
			this.#balancer === undefined ||
			!sameBalancer(this.#balancer.chosen, chosen)
		) {
			this.#closeBalancer();
			const balancer = new HostedBalancer(
				chosen,
				this.setting,
				this.subchannels,
				(state, picker) => this.#enter(state, picker),
			);
			if (this.#isShutdown) {
				balancer.close();
				return;
			}
			this.#balancer = balancer;
		}
		this.#balancer.update(endpoints);
		this.#resolved = true;
		// It may say something else of calls that wait.
		if (this.serviceConfigs !== configsBefore) this.waiting.askAll();
	}

	/** Of the nearest service config that has any. */
	#throttling(): RetryThrottling {
		for (const { retryThrottling } of this.serviceConfigs) {
			if (retryThrottling !== undefined) return retryThrottling;
		}
		return builtinRetryThrottling;
	}

	#healthService(): string | undefined {
		const config = this.serviceConfigs.find(
			({ healthCheckConfig }) => healthCheckConfig !== undefined,
		);
		return config?.healthCheckConfig?.serviceName;
	}

	#resolutionFailed(error: Error): void {
		this.#lastError = error;
		if (!this.#resolved) this.#enter("transientFailure", failPicker(error));
		this.setting.hooks.resolved?.({ error });
	}

	#closeBalancer(): void {
		const balancer = this.#balancer;
		this.#balancer = undefined;
		balancer?.close();
	}

	get #isShutdown(): boolean {
		return this.#state === "shutdown";
	}

	#enter(entered: ChannelState, picker: Picker): void {
		if (this.#isShutdown) return;
		const rests = entered === "connecting" && this.subchannels.areResting;
		const state = rests ? "idle" : entered;
		const before = this.#picker;
		this.#picker = picker;
		if (this.#state !== state) {
			// Then as many as can are sent, and at once.
			if (state === "ready") this.waiting.wake();
			this.#state = state;
			for (const listener of [...this.#listeners]) {
				listener(state);
				// One that changes the state has told the others.
				if (this.#state !== state) return;
			}
		}
		if (!leavesWaiting(before, picker)) this.waiting.askAll();
		this.#leaveSilent();
	}

	/** Without another connection, calls had better wait for the answer on theirs. */
	#leaveSilent(): void {
		if (this.#silent.size === 0 || this.#state !== "ready") return;
		const silent = [...this.#silent];
		this.#silent.clear();
		for (const connection of silent) {
			for (const call of [...this.#calls]) call.connectionSilent(connection);
		}
	}

	#armIdleTimer(ms: number): void {
		const { clock, idleTimeoutMs } = this.setting;
		this.#idleTimer = clock.afterIdle(ms, () => {
			const idleFor = clock.now() - this.#lastCallAt;
			if (this.#calls.size > 0) this.#armIdleTimer(idleTimeoutMs);
			else if (idleFor < idleTimeoutMs) {
				this.#armIdleTimer(idleTimeoutMs - idleFor);
			} else {
				this.#stop();
				this.#enter("idle", waitPicker);
			}
		});
	}

	/** Closes connections gently and stops watching. */
	#stop(): void {
		this.setting.clock.cancel(this.#idleTimer);
		this.#watch?.stop();
		this.#watch = undefined;
		this.#closeBalancer();
	}

	async #close(graceMs: number): Promise<void> {
		// Calls that wait for a connection still get one: only new ones are refused.
		if (this.#calls.size > 0 && graceMs > 0) await this.#empty(graceMs);
		// The latest first, lest those in the queue take the turns of those before them.
		for (const call of [...this.#calls].reverse()) call.abandon(closed());
		this.#stop();
		this.#enter("shutdown", failPicker(closed()));
	}

	#empty(graceMs: number): Promise<void> {
		return new Promise((resolve) => {
			const timer = this.setting.clock.after(graceMs, resolve);
			this.#whenEmpty = () => {
				this.setting.clock.cancel(timer);
				resolve();
			};
		});
	}
}

/** Calls that wait would have to wait on: while each of many endpoints fails, they are not asked each time. */
function leavesWaiting(before: Picker, picker: Picker): boolean {
	if (!(picker instanceof FixedPicker)) return false;
	const { kind } = picker.answer;
	// Those that wait though calls fail are those that wait for ready.
	return (
		kind === "wait" ||
		(kind === "fail" &&
			before instanceof FixedPicker &&
			before.answer.kind === "fail")
	);
}

/** What calls fail with whose channel is closed. */
export function closed(): Error {
	return new Error("the channel has been closed");
}

/** What calls fail with that are made after that. */
export function closedBefore(): Error {
	return new Error(
		`${closed().message} before this call was made, by closeClient, close or the end of an "await using"; make a new client, or close this one later`,
	);
}
