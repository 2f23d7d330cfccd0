import { Code, ConnectError } from "@connectrpc/connect";
import { formatDuration } from "../../checks/duration.ts";
import { Backoff } from "../../policy/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import { Pause } from "../pause.ts";
import { AnswerLimit } from "./answer-limit.ts";
import { deleteClaim, putClaim, putClaimIfFree } from "./claim.ts";
import { etcdError, isLeaseGone, isTokenRefused } from "./errors.ts";
import type { EtcdClient, KeepAliveStream, Limits } from "./etcd-client.ts";
import { oneKey } from "./key-range.ts";

export interface LeasedKeySetting {
	readonly client: EtcdClient;
	readonly key: string;
	readonly value: string;
	/** What the key stands for, for error messages: "payment at 10.0.0.1:50051". */
	readonly name: string;
	/** The time to live of the lease. */
	readonly ttlSeconds: bigint;
	readonly clock: Clock;
	readonly random: () => number;
	/** Called with each error that does not end the registration. */
	report(error: Error): void;
}

/** Attempts to register. During an election, which takes a second or two, etcd never answers some requests. */
const TRIES = 3;
/** The limit for one attempt, in milliseconds. */
const TRY_MS = 3000;
const BETWEEN_TRIES_MS = 1000;
/** The limit for revoking the lease, in milliseconds. */
const REVOKE_MS = 2000;

/**
 * Keeps a key in etcd under a lease. The lease is renewed three times per TTL.
 *
 * If the lease has ended, a new one is granted. After an error, it tries again
 * after 1 s or more. At each renewal the key is checked, and put back if it is
 * missing. If another process writes the key later, that process keeps it, so that
 * two processes with one key do not overwrite each other. When the other process
 * removes the key, this one puts its own back.
 */
export class LeasedKey {
	readonly #setting: LeasedKeySetting;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	readonly #end = new AbortController();
	readonly #limits: Limits = { signal: this.#end.signal };
	#lease: bigint | undefined;
	#ttlMs: number;
	/** Whether the key should exist. */
	#wanted = true;
	/** The lease of another process that has the key, as last reported. */
	#displacedBy: bigint | undefined;
	#stream: KeepAliveStream | undefined;
	/** Resolves when the lease is no longer kept alive. */
	#life: Promise<void> = Promise.resolve();
	/** The last of the steps that put or delete the key, which run one after another. */
	#steps: Promise<void> = Promise.resolve();

	constructor(setting: LeasedKeySetting) {
		const { random, clock, ttlSeconds } = setting;
		this.#setting = setting;
		this.#ttlMs = Number(ttlSeconds) * 1000;
		this.#backoff = new Backoff(random, { maxMs: this.#ttlMs / 3 });
		this.#pause = new Pause(clock);
	}

	/**
	 * Puts the key, even if another process has put it, and keeps it from then on.
	 * Rejects with a DiscoveryError, or with the signal's reason. Call `stop` in that
	 * case too, so that nothing is left in etcd.
	 */
	async start(signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const giveUp = (): void => this.#pause.end();
		signal.addEventListener("abort", giveUp);
		try {
			await this.#put(signal, TRIES);
		} catch (error) {
			this.#life = this.#revoke().catch(() => {});
			signal.throwIfAborted();
			throw error;
		} finally {
			signal.removeEventListener("abort", giveUp);
		}
		this.#life = this.#live();
	}

	/** Puts the key back, or deletes it; the lease stays. Rejects with a DiscoveryError; then it is tried again later. */
	async setWanted(wanted: boolean): Promise<void> {
		this.#wanted = wanted;
		try {
			await this.#reconcile();
		} catch (error) {
			throw this.#explained(
				error,
				wanted ? "announcing again" : "withdrawing for a while",
			);
		}
	}

	/**
	 * Revokes the lease, which deletes the key unless another process has put it by now. Takes at most 2 s. Rejects with a
	 * DiscoveryError.
	 */
	async stop(): Promise<void> {
		this.#end.abort(new Error("the registration has ended"));
		this.#pause.end();
		await this.#life;
		try {
			await this.#revoke();
		} catch (error) {
			const { name } = this.#setting;
			const left = formatDuration(this.#ttlMs);
			throw etcdError(
				error,
				`removing ${name}, which clients may find until its lease ends, in ${left} at most`,
				this.#setting.client.hosts,
			);
		}
	}

	async #put(signal: AbortSignal, tries: number): Promise<void> {
		const { client, key, value } = this.#setting;
		const limits = { signal, timeoutMs: TRY_MS };
		try {
			const lease = this.#lease ?? (await this.#grant(limits));
			await putClaim(client, { key, value, lease }, limits);
		} catch (cause) {
			const error = this.#explained(cause, "registering");
			const isOver = isLeaseGone(cause);
			// The attempts before took longer than the lease's TTL.
			if (isOver) this.#lease = undefined;
			if (tries === 1 || !(isOver || error.problem === "unreachable")) {
				throw error;
			}
			signal.throwIfAborted();
			await this.#pause.wait(BETWEEN_TRIES_MS);
			signal.throwIfAborted();
			await this.#put(signal, tries - 1);
		}
	}

	async #live(): Promise<void> {
		const { clock } = this.#setting;
		const { signal } = this.#end;
		while (!signal.aborted) {
			const began = clock.now();
			try {
				const lease = this.#lease ?? (await this.#grant(this.#limits));
				if (await this.#keepAlive(lease)) return;
				this.#lease = undefined;
				const { name } = this.#setting;
				this.#report(
					new Error(`the lease of ${name} has ended; it is registered again`),
				);
			} catch (error) {
				if (signal.aborted) return;
				this.#report(this.#explained(error, "keeping"));
			}
			if (signal.aborted) return;
			await this.#pause.wait(began + this.#backoff.next() - clock.now());
		}
	}

	/**
	 * Keeps the lease alive. Resolves with true when `stop` was called, and with false when the lease has ended. Rejects when
	 * etcd does not answer.
	 */
	async #keepAlive(lease: bigint): Promise<boolean> {
		const { signal } = this.#end;
		try {
			while (!signal.aborted) {
				if (!(await this.#renewed(lease))) return false;
				this.#backoff.reset();
				await this.#check(lease);
				if (!signal.aborted) await this.#pause.wait(this.#ttlMs / 3);
			}
			return true;
		} catch (error) {
			if (isLeaseGone(error)) return false;
			throw error;
		} finally {
			this.#stream?.cancel();
			this.#stream = undefined;
		}
	}

	async #renewed(lease: bigint, again = true): Promise<boolean> {
		const { client } = this.#setting;
		this.#stream ??= await client.leaseKeepAlive(this.#end.signal);
		try {
			return await this.#renewOn(this.#stream, lease);
		} catch (error) {
			// A stream keeps the token with which it was opened, which expires at some time.
			if (!again || !isTokenRefused(error)) throw error;
			client.forgetToken();
			this.#stream = undefined;
			return await this.#renewed(lease, false);
		}
	}

	async #renewOn(stream: KeepAliveStream, lease: bigint): Promise<boolean> {
		const { clock } = this.#setting;
		const limit = new AnswerLimit(clock, (late) => stream.cancel(late));
		limit.requested();
		try {
			// If sending fails, reading the response fails too, with the reason.
			stream.send({ id: lease }).catch(() => {});
			const answer = await stream.recv();
			if (answer !== undefined) return answer.ttl > 0n;
			throw new ConnectError("the stream has ended", Code.Unavailable);
		} finally {
			limit.answered();
		}
	}

	/** Checks the key, at little cost: one member answers from its own state. */
	async #check(lease: bigint): Promise<void> {
		const { client, key } = this.#setting;
		const request = { ...oneKey(key), serializable: true };
		const { kvs } = await client.range(request, this.#limits);
		const isOurs = kvs[0]?.lease === lease;
		// The state of that member may be old. This step goes by the state of the majority.
		if (isOurs !== this.#wanted) await this.#reconcile();
	}

	/** Puts or deletes the key, as `#wanted` says, after the steps before. */
	#reconcile(): Promise<void> {
		const step = this.#steps.then(() => this.#step());
		this.#steps = step.catch(() => {});
		return step;
	}

	async #step(): Promise<void> {
		const { client, key, value } = this.#setting;
		const lease = this.#lease;
		if (lease === undefined || this.#end.signal.aborted) return;
		const claim = { key, value, lease };
		if (this.#wanted) {
			const holder = await putClaimIfFree(client, claim, this.#limits);
			if (holder === lease) this.#displacedBy = undefined;
			else this.#leaveTo(holder);
		} else {
			await deleteClaim(client, claim, this.#limits);
		}
	}

	#leaveTo(lease: bigint): void {
		if (this.#displacedBy === lease) return;
		this.#displacedBy = lease;
		const { name, key } = this.#setting;
		this.#report(
			new Error(
				`another process has registered ${name} later: it keeps the key ${key} until it deregisters (its lease is ${lease.toString(16)}); give each server an address or an id of its own`,
			),
		);
	}

	async #grant(limits: Limits): Promise<bigint> {
		const { client, ttlSeconds } = this.#setting;
		const { id, ttl } = await client.leaseGrant(ttlSeconds, limits);
		this.#lease = id;
		// The server may choose a longer TTL than the requested one.
		this.#ttlMs = Number(ttl) * 1000;
		return id;
	}

	async #revoke(): Promise<void> {
		const { client, clock } = this.#setting;
		const lease = this.#lease;
		this.#lease = undefined;
		if (lease === undefined) return;
		const late = new AbortController();
		// This timer also keeps the process alive meanwhile.
		const timer = clock.after(REVOKE_MS, () => late.abort());
		try {
			await client.leaseRevoke(lease, { signal: late.signal });
		} catch (error) {
			if (!isLeaseGone(error)) throw error;
		} finally {
			clock.cancel(timer);
		}
	}

	#report(error: Error): void {
		if (!this.#end.signal.aborted) this.#setting.report(error);
	}

	#explained(error: unknown, what: string): DiscoveryError {
		const { client, name } = this.#setting;
		return etcdError(error, `${what} ${name}`, client.hosts);
	}
}
