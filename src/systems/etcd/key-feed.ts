import { Code, ConnectError } from "@connectrpc/connect";
import { Backoff } from "../../policy/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import { Pause } from "../pause.ts";
import { AnswerLimit } from "./answer-limit.ts";
import { etcdError, isCompacted, isTokenRefused } from "./errors.ts";
import type { EtcdClient, WatchStream } from "./etcd-client.ts";
import type { WatchResponse } from "./gen/etcd/etcd_pb.ts";
import type { Event, KeyValue } from "./gen/etcd/kv_pb.ts";
import type { KeyRange } from "./key-range.ts";
import {
	cancelled,
	isElsewhere,
	type Position,
	positionOf,
} from "./watch-position.ts";

export interface KeyFeedSetting {
	readonly client: EtcdClient;
	readonly range: KeyRange;
	/** The name of the keys, for error messages. */
	readonly name: string;
	readonly clock: Clock;
	readonly random: () => number;
	/** Called with all keys of the range, in order. They replace those of the calls before. */
	all(kvs: readonly KeyValue[]): void;
	/** Called with the changes since then, in order. */
	changed(events: readonly Event[]): void;
	/** Called with each error that does not end the feed. */
	report(error: Error): void;
}

type WatchRequest = NonNullable<
	Parameters<WatchStream["send"]>[0]["requestUnion"]
>;

/** The least time from the start of one list or watch to the next. */
const MIN_MS = 1000;
const MAX_BACKOFF_MS = 16_000;

/**
 * Follows a range of keys: lists the keys, and then watches them from the next
 * revision on. After a watch has broken, a new one continues at the same revision,
 * with another member if there is one. If etcd no longer holds that revision
 * (after a compaction) or has gone back to an earlier one (after a restore from a
 * backup), the keys are listed again. After an error, it tries again after 1 s to
 * 16 s.
 */
export class KeyFeed {
	readonly #setting: KeyFeedSetting;
	readonly #backoff: Backoff;
	readonly #pause: Pause;
	readonly #end = new AbortController();
	#position: Position | undefined;
	/** Checks whether the member of the current watch still answers. */
	#checkAlive: () => void = () => {};
	#listedAt = Number.NEGATIVE_INFINITY;

	constructor(setting: KeyFeedSetting) {
		this.#setting = setting;
		this.#backoff = new Backoff(setting.random, { maxMs: MAX_BACKOFF_MS });
		this.#pause = new Pause(setting.clock);
	}

	/** Resolves after the first list. Rejects with a DiscoveryError if the keys cannot be listed; then the feed has ended. */
	async start(): Promise<void> {
		await this.#list();
		void this.#follow();
	}

	/** Does what `start` does, but goes on if the keys cannot be listed. */
	async startAnyway(): Promise<void> {
		await this.#list().catch((error) => this.#report(error));
		void this.#follow();
	}

	/** Shortens the wait before the next attempt, and checks that the current watch is alive: a connection elsewhere was lost. */
	hurry(): void {
		this.#pause.hurry();
		this.#checkAlive();
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
				// The keys must be listed again: at once, unless they have just been listed.
				began = this.#listedAt;
			} catch (error) {
				this.#report(error as Error);
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
			const { header, kvs } = await client.range(range, {
				signal: this.#end.signal,
			});
			this.#position = positionOf(header);
			all(kvs);
		} catch (error) {
			throw this.#explained(error, "reading");
		}
	}

	/** Watches from a position. Resolves when the watch cannot continue from there; rejects when the watch breaks. */
	async #watch(position: Position, again = true): Promise<void> {
		const { client } = this.#setting;
		try {
			const stream = await client.watch(this.#end.signal);
			await this.#hear(stream, position);
		} catch (error) {
			// The token may have expired long ago.
			if (again && isTokenRefused(error)) {
				client.forgetToken();
				return await this.#watch(position, false);
			}
			if (!isCompacted(error)) throw this.#explained(error, "watching");
		} finally {
			this.#checkAlive = () => {};
		}
		this.#position = undefined;
	}

	/** Reads the responses of a watch. Resolves if they do not continue from the position. */
	async #hear(stream: WatchStream, position: Position): Promise<void> {
		const { range, clock } = this.#setting;
		const limit = new AnswerLimit(clock, (late) => stream.cancel(late));
		const send = (requestUnion: WatchRequest): void => {
			// If sending fails, reading the responses fails too, with the reason.
			stream.send({ requestUnion }).catch(() => {});
		};
		const requestProgress = (): void =>
			send({ case: "progressRequest", value: {} });
		const startRevision = position.revision + 1n;
		const value = { ...range, startRevision, progressNotify: true };
		limit.requested();
		send({ case: "createRequest", value });
		this.#checkAlive = () => {
			// etcd ignores the request while the watch has not caught up with the store, so it is repeated.
			limit.requested(requestProgress);
			requestProgress();
		};
		try {
			for await (const response of stream) {
				limit.answered();
				if (response.canceled) throw cancelled(response);
				if (response.created && isElsewhere(response.header, position)) return;
				this.#backoff.reset();
				this.#apply(response, position);
			}
		} finally {
			limit.answered();
		}
		throw new ConnectError("the watch has ended", Code.Unavailable);
	}

	#apply(response: WatchResponse, position: Position): void {
		const { created, header, events } = response;
		// The response to the creation has the store's revision, but the events up to it are still to come.
		if (created) return;
		const last = events.at(-1)?.kv?.modRevision ?? header?.revision ?? 0n;
		if (last > position.revision) position.revision = last;
		if (events.length > 0) this.#setting.changed(events);
	}

	#report(error: Error): void {
		if (!this.#end.signal.aborted) this.#setting.report(error);
	}

	#explained(error: unknown, what: string): Error {
		const { client, name } = this.#setting;
		return etcdError(error, `${what} ${name}`, client.hosts);
	}
}
