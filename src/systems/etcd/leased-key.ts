import { Code, ConnectError } from "@connectrpc/connect";
import { formatDuration } from "../../checks/duration.ts";
import { Backoff } from "../../policy/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import { Pause } from "../pause.ts";
import { deleteClaim, putClaim, putClaimIfFree } from "./claim.ts";
import { etcdError, isLeaseGone, isTokenRefused } from "./errors.ts";
import type { EtcdClient, KeepAliveStream, Limits } from "./etcd-client.ts";
import { oneKey } from "./key-range.ts";
import { Patience } from "./patience.ts";

export interface LeasedKeySetting {
	readonly client: EtcdClient;
	readonly key: string;
	readonly value: string;
	/** What the key stands for, for messages: "payment at 10.0.0.1:50051". */
	readonly name: string;
	/** Of the lease. */
	readonly ttlSeconds: bigint;
	readonly clock: Clock;
	readonly random: () => number;
	/** Takes an error that it survives. */
	report(error: Error): void;
}

/** An election in etcd takes a second or two, and what was asked meanwhile is never answered. */
const TRIES = 3;
/** How long one of them may take, in milliseconds. */
const TRY_MS = 3000;
const BETWEEN_TRIES_MS = 1000;
/** How long etcd may take to forget the key, in milliseconds. */
const REVOKE_MS = 2000;

/**
 * A key that lives under a lease, which is kept alive three times in its time.
 *
 * A lease that has ended is followed by another one, and errors by further tries,
 * after 1 s or more. Whenever the lease is kept alive, a key that is missing is
 * put back. A key that somebody else has written since is left to them: two
 * processes that claim one key do not fight, the later has it; when it goes, the
 * earlier is back.
 */
export class LeasedKey {
	readonly #setting: LeasedKeySetting;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	readonly #end = new AbortController();
	readonly #limits: Limits = { signal: this.#end.signal };
	#lease: bigint | undefined;
	#ttlMs: number;
	#wanted = true;
	/** The lease of the one who has the key instead, as last reported. */
	#displacedBy: bigint | undefined;
	#stream: KeepAliveStream | undefined;
	#life: Promise<void> = Promise.resolve();
	#settling: Promise<void> = Promise.resolve();

	constructor(setting: LeasedKeySetting) {
		const { random, clock, ttlSeconds } = setting;
		this.#setting = setting;
		this.#ttlMs = Number(ttlSeconds) * 1000;
		this.#backoff = new Backoff(random, { maxMs: this.#ttlMs / 3 });
		this.#pause = new Pause(clock);
	}

	/**
	 * Puts the key, whoever has it, and keeps it from then on. Rejects with
	 * DiscoveryError, or with the signal's reason; once it has been stopped then,
	 * nothing is left of it.
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

	/** Deletes the key, or puts it back; the lease stays. Should it fail, it is tried again later. */
	async want(wanted: boolean): Promise<void> {
		this.#wanted = wanted;
		try {
			await this.#settle();
		} catch (error) {
			throw this.#explained(
				error,
				wanted ? "announcing again" : "withdrawing for a while",
			);
		}
	}

	/** Revokes the lease, and thereby deletes the key, unless it is somebody else's by now. Takes 2 s at most. Rejects with DiscoveryError. */
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
				`taking out ${name}, which clients may find until its lease ends, in ${left} at most`,
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
			// By the tries before, which took longer than it lasts.
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

	/** Resolves with whether it was kept alive until the end; with false when it has ended before. Rejects when nobody answers. */
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
			return await this.#asked(this.#stream, lease);
		} catch (error) {
			// A stream goes on with the token that it began with, which ends some time.
			if (!again || !isTokenRefused(error)) throw error;
			client.forgetToken();
			this.#stream = undefined;
			return await this.#renewed(lease, false);
		}
	}

	async #asked(stream: KeepAliveStream, lease: bigint): Promise<boolean> {
		const { clock } = this.#setting;
		const patience = new Patience(clock, (late) => stream.cancel(late));
		patience.asked();
		try {
			// Should it fail, so does the response, and it tells why.
			stream.send({ id: lease }).catch(() => {});
			const answer = await stream.recv();
			if (answer !== undefined) return answer.ttl > 0n;
			throw new ConnectError("the stream has ended", Code.Unavailable);
		} finally {
			patience.answered();
		}
	}

	/** Looks after the key, at little cost: one member answers with what it knows. */
	async #check(lease: bigint): Promise<void> {
		const { client, key } = this.#setting;
		const request = { ...oneKey(key), serializable: true };
		const { kvs } = await client.range(request, this.#limits);
		const isOurs = kvs[0]?.lease === lease;
		// What that member knows may be old, so that this asks all of them.
		if (isOurs !== this.#wanted) await this.#settle();
	}

	/** Makes the key be there, or not, as is wanted: one step at a time. */
	#settle(): Promise<void> {
		const step = this.#settling.then(() => this.#step());
		this.#settling = step.catch(() => {});
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
				`${name} was registered by somebody else too: the key ${key} is theirs until they go (its lease is ${lease.toString(16)}); give each server an address of its own, or an id`,
			),
		);
	}

	async #grant(limits: Limits): Promise<bigint> {
		const { client, ttlSeconds } = this.#setting;
		const { id, ttl } = await client.leaseGrant(ttlSeconds, limits);
		this.#lease = id;
		// The server has a least time of its own.
		this.#ttlMs = Number(ttl) * 1000;
		return id;
	}

	async #revoke(): Promise<void> {
		const { client, clock } = this.#setting;
		const lease = this.#lease;
		this.#lease = undefined;
		if (lease === undefined) return;
		const late = new AbortController();
		// Keeps the process alive meanwhile.
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
