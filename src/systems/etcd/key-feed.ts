import { Code, ConnectError } from "@connectrpc/connect";
import { Backoff } from "../../policy/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import { Pause } from "../pause.ts";
import { etcdError, isCompacted, isTokenRefused } from "./errors.ts";
import type { EtcdClient, WatchStream } from "./etcd-client.ts";
import type { WatchResponse } from "./gen/etcd/etcd_pb.ts";
import type { Event, KeyValue } from "./gen/etcd/kv_pb.ts";
import type { KeyRange } from "./key-range.ts";
import { Patience } from "./patience.ts";
import {
	cancelled,
	isElsewhere,
	type Position,
	positionOf,
} from "./watch-position.ts";

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

type Question = NonNullable<Parameters<WatchStream["send"]>[0]["requestUnion"]>;

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
	/** Asks the watch that is under way whether there is still somebody. */
	#doubt: () => void = () => {};
	#listedAt = Number.NEGATIVE_INFINITY;

	constructor(setting: KeyFeedSetting) {
		this.#setting = setting;
		this.#backoff = new Backoff(setting.random, { maxMs: MAX_BACKOFF_MS });
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

	/** Something else was lost: the next try may come sooner, and a watch has to show that it is alive. */
	hurry(): void {
		this.#pause.hurry();
		this.#doubt();
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
			const { header, kvs } = await client.range(range, {
				signal: this.#end.signal,
			});
			this.#position = positionOf(header);
			all(kvs);
		} catch (error) {
			throw this.#explained(error, "reading");
		}
	}

	/** Returns when the position is no longer one to go on from; throws when the watch breaks. */
	async #watch(position: Position, again = true): Promise<void> {
		const { client } = this.#setting;
		try {
			const stream = await client.watch(this.#end.signal);
			await this.#hear(stream, position);
		} catch (error) {
			// Its token may have ended long ago.
			if (again && isTokenRefused(error)) {
				client.forgetToken();
				return await this.#watch(position, false);
			}
			if (!isCompacted(error)) throw this.#explained(error, "watching");
		} finally {
			this.#doubt = () => {};
		}
		this.#position = undefined;
	}

	/** Returns when what is heard does not follow the position. */
	async #hear(stream: WatchStream, position: Position): Promise<void> {
		const { range, clock } = this.#setting;
		const patience = new Patience(clock, (late) => stream.cancel(late));
		const ask = (requestUnion: Question): void => {
			// Should it fail, so do the responses, and they tell why.
			stream.send({ requestUnion }).catch(() => {});
		};
		const askProgress = (): void => ask({ case: "progressRequest", value: {} });
		const startRevision = position.revision + 1n;
		const value = { ...range, startRevision, progressNotify: true };
		patience.asked();
		ask({ case: "createRequest", value });
		this.#doubt = () => {
			// etcd does not answer while the watch has yet to catch up with the store.
			patience.asked(askProgress);
			askProgress();
		};
		try {
			for await (const response of stream) {
				patience.answered();
				if (response.canceled) throw cancelled(response);
				if (response.created && isElsewhere(response.header, position)) return;
				this.#backoff.reset();
				this.#apply(response, position);
			}
		} finally {
			patience.answered();
		}
		throw new ConnectError("the watch has ended", Code.Unavailable);
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
		return etcdError(error, `${what} ${name}`, client.hosts);
	}
}
