import { Code, ConnectError } from "@connectrpc/connect";
import { Backoff } from "../../client/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import { formatDuration } from "../../policy/duration.ts";
import { Pause } from "../pause.ts";
import type { EtcdClient, KeepAliveStream } from "./etcd-client.ts";
import { etcdError, isLeaseGone, isTokenRefused } from "./etcd-error.ts";
import {
	Compare_CompareResult,
	Compare_CompareTarget,
} from "./gen/etcd/etcd_pb.ts";
import type { KeyValue } from "./gen/etcd/kv_pb.ts";
import { keyBytes, oneKey } from "./key-range.ts";

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

/** How long etcd may take to answer a sign of life, in milliseconds. */
const ANSWER_MS = 5000;
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
	#lease: bigint | undefined;
	#ttlMs: number;
	#wanted = true;
	/** The lease of the one who has the key instead, as last reported. */
	#displacedBy: bigint | undefined;
	#life: Promise<void> = Promise.resolve();
	#settling: Promise<void> = Promise.resolve();

	constructor(setting: LeasedKeySetting) {
		const { random, clock, ttlSeconds } = setting;
		this.#setting = setting;
		this.#ttlMs = Number(ttlSeconds) * 1000;
		this.#backoff = new Backoff(random, this.#ttlMs / 3);
		this.#pause = new Pause(clock);
	}

	/**
	 * Puts the key, whoever has it, and keeps it from then on. Rejects with
	 * DiscoveryError, or with the signal's reason; then nothing is left of it.
	 */
	async start(signal: AbortSignal): Promise<void> {
		const { client, key, value } = this.#setting;
		signal.throwIfAborted();
		try {
			const lease = await this.#grant(signal);
			const put = { key: keyBytes(key), value: keyBytes(value), lease };
			await client.put(put, { signal });
		} catch (error) {
			void this.#revoke().catch(() => {});
			signal.throwIfAborted();
			throw this.#explained(error, "registering");
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

	async #live(): Promise<void> {
		const { clock } = this.#setting;
		const { signal } = this.#end;
		while (!signal.aborted) {
			const began = clock.now();
			try {
				const lease = this.#lease ?? (await this.#grant(signal));
				await this.#keepAlive(lease);
				if (signal.aborted) return;
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

	/** Returns when the lease has ended, or the registration; throws when it cannot be kept alive. */
	async #keepAlive(lease: bigint): Promise<void> {
		const { signal } = this.#end;
		const stream = await this.#setting.client.leaseKeepAlive(signal);
		try {
			while (!signal.aborted) {
				if (!(await this.#renewed(stream, lease))) return;
				this.#backoff.reset();
				await this.#check(lease);
				if (signal.aborted) return;
				await this.#pause.wait(this.#ttlMs / 3);
			}
		} finally {
			stream.cancel();
		}
	}

	async #renewed(stream: KeepAliveStream, lease: bigint): Promise<boolean> {
		const { clock } = this.#setting;
		const late = new Error(`no answer in ${formatDuration(ANSWER_MS)}`);
		const timer = clock.afterIdle(ANSWER_MS, () => stream.cancel(late));
		try {
			// Should it fail, so does the response, and it tells why.
			stream.send({ id: lease }).catch(() => {});
			const answer = await stream.recv();
			if (answer !== undefined) return answer.ttl > 0n;
			throw new ConnectError("the stream has ended", Code.Unavailable);
		} finally {
			clock.cancel(timer);
		}
	}

	/** Looks after the key, at little cost: one member answers with what it knows. */
	async #check(lease: bigint): Promise<void> {
		const { client, key } = this.#setting;
		const request = { ...oneKey(key), serializable: true };
		const { kvs } = await client.range(request, this.#end);
		const isOurs = kvs[0]?.lease === lease;
		if (kvs[0] !== undefined && !isOurs) this.#leaveTo(kvs[0]);
		else if (isOurs !== this.#wanted) await this.#settle();
	}

	/** Makes the key be there, or not, as is wanted: one step at a time. */
	#settle(): Promise<void> {
		const step = this.#settling.then(() => this.#step());
		this.#settling = step.catch(() => {});
		return step;
	}

	async #step(): Promise<void> {
		const { client, key: name, value } = this.#setting;
		const lease = this.#lease;
		if (lease === undefined || this.#end.signal.aborted) return;
		const key = keyBytes(name);
		const result = Compare_CompareResult.EQUAL;
		if (!this.#wanted) {
			const target = Compare_CompareTarget.LEASE;
			const isOurs = { case: "lease", value: lease } as const;
			await client.txn(
				{
					compare: [{ result, target, key, targetUnion: isOurs }],
					success: [
						{ request: { case: "requestDeleteRange", value: { key } } },
					],
				},
				this.#end,
			);
			return;
		}
		const target = Compare_CompareTarget.CREATE;
		const isFree = { case: "createRevision", value: 0n } as const;
		const put = { key, value: keyBytes(value), lease };
		const { succeeded, responses } = await client.txn(
			{
				compare: [{ result, target, key, targetUnion: isFree }],
				success: [{ request: { case: "requestPut", value: put } }],
				failure: [{ request: { case: "requestRange", value: { key } } }],
			},
			this.#end,
		);
		const response = responses[0]?.response;
		const holder =
			response?.case === "responseRange" ? response.value.kvs[0] : undefined;
		if (succeeded || holder?.lease === lease) this.#displacedBy = undefined;
		else if (holder !== undefined) this.#leaveTo(holder);
	}

	#leaveTo({ lease }: KeyValue): void {
		if (this.#displacedBy === lease) return;
		this.#displacedBy = lease;
		const { name, key } = this.#setting;
		this.#report(
			new Error(
				`${name} was registered by somebody else too: the key ${key} is theirs until they go (its lease is ${lease.toString(16)}); give each server an address of its own, or an id`,
			),
		);
	}

	async #grant(signal: AbortSignal): Promise<bigint> {
		const { client, ttlSeconds } = this.#setting;
		const { id, ttl } = await client.leaseGrant(ttlSeconds, { signal });
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

	#explained(error: unknown, what: string): Error {
		const { client, name } = this.#setting;
		if (isTokenRefused(error)) client.forgetToken();
		return etcdError(error, `${what} ${name}`, client.hosts);
	}
}
