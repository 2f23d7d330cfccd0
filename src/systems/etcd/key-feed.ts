import { Code, ConnectError } from "@connectrpc/connect";
import { Backoff } from "../../client/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import { Pause } from "../pause.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { etcdError, isCompacted, isTokenRefused } from "./etcd-error.ts";
import type { ResponseHeader, WatchResponse } from "./gen/etcd/etcd_pb.ts";
import type { Event, KeyValue } from "./gen/etcd/kv_pb.ts";
import type { KeyRange } from "./key-range.ts";

export interface KeyFeedSetting {
	readonly client: EtcdClient;
	readonly range: KeyRange;
	/** The keys, for messages. */
	readonly name: string;
	readonly clock: Clock;
	readonly random: () => number;
	/** All keys of the range, in order; what was told before is void. */
	all(kvs: readonly KeyValue[]): void;
	/** What has happened since, in order. */
	changed(events: readonly Event[]): void;
	/** Takes an error that it survives. */
	report(error: Error): void;
}

/** What has been told of a store so far. */
interface Position {
	readonly clusterId: bigint;
	revision: bigint;
}

/** From one list or watch to the next at least, however soon they end. */
const MIN_MS = 1000;
const MAX_BACKOFF_MS = 16_000;

/**
 * Tells what a range of keys holds, and of each change to it: reads the keys,
 * and watches them from the revision after that. A watch that breaks goes on
 * where it was, with another member if there is one. Where that is too long ago
 * for etcd (a compaction), or etcd has gone back in time (a backup), the keys are
 * read again. Errors are survived, and tried again after 1 s to 16 s.
 */
export class KeyFeed {
	readonly #setting: KeyFeedSetting;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	readonly #end = new AbortController();
	#position: Position | undefined;
	#listedAt = Number.NEGATIVE_INFINITY;

	constructor(setting: KeyFeedSetting) {
		this.#setting = setting;
		this.#backoff = new Backoff(setting.random, MAX_BACKOFF_MS);
		this.#pause = new Pause(setting.clock);
	}

	/** Resolves when the keys have been told. Rejects with DiscoveryError if they cannot be read, and then it has ended. */
	async start(): Promise<void> {
		await this.#list();
		void this.#follow();
	}

	/** As `start`, but goes on if the keys cannot be read. */
	async startAnyway(): Promise<void> {
		await this.#list().catch((error) => this.#survive(error));
		void this.#follow();
	}

	/** Something else was lost, so that what we wait for may be back: ends a wait for the next try. */
	hurry(): void {
		this.#pause.hurry();
	}

	stop(): void {
		this.#end.abort();
		this.#pause.end();
	}

	async #follow(): Promise<void> {
		const { clock } = this.#setting;
		const { signal } = this.#end;
		while (!signal.aborted) {
			let began = clock.now();
			try {
				if (this.#position === undefined) await this.#list();
				await this.#watch(this.#position as Position);
				// They are to be read again, and at once, unless they just were.
				began = this.#listedAt;
			} catch (error) {
				this.#survive(error as Error);
			}
			if (signal.aborted) return;
			const elapsed = clock.now() - began;
			await this.#pause.wait(this.#backoff.next() - elapsed, MIN_MS - elapsed);
		}
	}

	async #list(): Promise<void> {
		const { client, range, clock, all } = this.#setting;
		this.#listedAt = clock.now();
		try {
			const { header, kvs } = await client.range(range, this.#end);
			this.#position = positionOf(header);
			all(kvs);
		} catch (error) {
			throw this.#explained(error, "reading");
		}
	}

	/** Returns when the position is no longer one to go on from; throws when the watch breaks. */
	async #watch(position: Position): Promise<void> {
		const { client, range } = this.#setting;
		const request = {
			...range,
			startRevision: position.revision + 1n,
			progressNotify: true,
		};
		try {
			for await (const response of client.watch(request, this.#end.signal)) {
				if (response.canceled) throw cancelled(response);
				if (response.created && isElsewhere(response.header, position)) {
					this.#position = undefined;
					return;
				}
				this.#backoff.reset();
				this.#apply(response, position);
			}
			throw new ConnectError("the watch has ended", Code.Unavailable);
		} catch (error) {
			if (!isCompacted(error)) throw this.#explained(error, "watching");
			this.#position = undefined;
		}
	}

	#apply(response: WatchResponse, position: Position): void {
		const { created, header, events } = response;
		// What is created has the store's revision, and has yet to tell how it came to that.
		if (created) return;
		const last = events.at(-1)?.kv?.modRevision ?? header?.revision ?? 0n;
		if (last > position.revision) position.revision = last;
		if (events.length > 0) this.#setting.changed(events);
	}

	#survive(error: Error): void {
		if (!this.#end.signal.aborted) this.#setting.report(error);
	}

	#explained(error: unknown, what: string): Error {
		const { client, name } = this.#setting;
		if (isTokenRefused(error)) client.forgetToken();
		return etcdError(error, `${what} ${name}`, client.hosts);
	}
}

function positionOf(header: ResponseHeader | undefined): Position {
	return {
		clusterId: header?.clusterId ?? 0n,
		revision: header?.revision ?? 0n,
	};
}

/** Another store, or an earlier state of it; a member that lags behind looks like one. */
function isElsewhere(
	header: ResponseHeader | undefined,
	position: Position,
): boolean {
	const { clusterId, revision } = positionOf(header);
	return clusterId !== position.clusterId || revision < position.revision;
}

/** The error that a cancelled watch stands for; etcd tells it as text. */
function cancelled({ compactRevision, cancelReason }: WatchResponse): Error {
	if (compactRevision > 0n) {
		return new ConnectError(
			"etcdserver: mvcc: required revision has been compacted",
			Code.OutOfRange,
		);
	}
	const [, name = "Unknown", text = cancelReason] =
		/^rpc error: code = (\w+) desc = (.*)$/s.exec(cancelReason) ?? [];
	const code = Code[name as keyof typeof Code] ?? Code.Unknown;
	return new ConnectError(
		text === "" ? "etcd cancelled the watch" : text,
		code,
	);
}
