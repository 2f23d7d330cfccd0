import {
	type Address,
	formatAddress,
} from "../../discovery/targets/address.ts";
import { Backoff, type BackoffPace } from "../../policy/backoff.ts";
import type { Timer } from "../../policy/clock.ts";
import type { ClientConnection } from "../../wire/connection.ts";
import type { DialQueue, DialRank } from "./dial-queue.ts";
import { firstLink } from "./first-link.ts";
import {
	connectLink,
	type Link,
	type LinkOwner,
	type LinkSetting,
} from "./link.ts";
import { isFruitless, ShortLives } from "./short-lives.ts";

/** What a pool needs of its channel. */
export interface PoolSetting extends LinkSetting {
	readonly random: () => number;
	readonly connectBackoff: BackoffPace;
	readonly maxConnectionsPerEndpoint: number;
	/** The channel's: undefined dials at once. */
	readonly dials?: DialQueue | undefined;
}

export interface PoolOwner {
	/**
	 * A connection takes no new calls any more; the pool may be empty now. `unwilling`: the peer ends its connections before
	 * they have served, and had better be left alone for a while.
	 */
	lost(link: Link, error: Error | undefined, unwilling: boolean): void;
	/** Calls that were turned away may ask again. */
	room(): void;
	/** The peer of a connection with calls on it does not answer. It gets no new ones: where it was in the pool, it is `lost`. */
	silent(connection: ClientConnection): void;
	/** It was heard again, or is gone. */
	silenceOver(connection: ClientConnection): void;
	/** The pool was empty, and one that was silent is back. */
	found(): void;
}

/** A further connection that no call has needed for so long, in milliseconds, is closed. */
const SURPLUS_MS = 60_000;

/** The connections to one endpoint: one, and more when its streams are at the peer's MAX_CONCURRENT_STREAMS. */
export class ConnectionPool implements LinkOwner {
	readonly #addresses: readonly Address[];
	readonly #setting: PoolSetting;
	readonly #owner: PoolOwner;
	readonly #links: Link[] = [];
	/** Left with their calls: their peers do not answer. Those that are heard again may come back. */
	#silent: Set<Link> | undefined;
	/** Lost with calls on them, which go on. */
	#leaving: Set<Link> | undefined;
	/** Further connections that calls have needed since the last look. */
	#needed: Set<Link> | undefined;
	/** Between further connections that come to nothing. */
	#backoff: Backoff | undefined;
	#shortLives: ShortLives | undefined;
	#growth: AbortController | undefined;
	#mayGrowAt = Number.NEGATIVE_INFINITY;
	#restTimer: Timer;
	/** Calls wait for room. */
	#turnedAway = false;
	#surplusTimer: Timer;

	constructor(
		addresses: readonly Address[],
		setting: PoolSetting,
		owner: PoolOwner,
	) {
		this.#addresses = addresses;
		this.#setting = setting;
		this.#owner = owner;
	}

	get isEmpty(): boolean {
		return this.#links.length === 0;
	}

	/** The oldest. */
	get first(): ClientConnection | undefined {
		return this.#links[0]?.connection;
	}

	snapshot(): object[] {
		const links = [...this.#links, ...(this.#silent ?? [])];
		return links.map(({ connection, address, isSilent }) => ({
			address: formatAddress(address),
			openCalls: connection.openCalls,
			hasRoom: connection.hasRoom,
			...(isSilent && { isSilent }),
		}));
	}

	/**
	 * For the next call: the first with room. Where none has any, a further one is made, if
	 * that is allowed, and `room` tells when to ask again.
	 */
	get connection(): ClientConnection | undefined {
		for (const link of this.#links) {
			if (!link.connection.hasRoom) continue;
			link.noteCall();
			if (link !== this.#links[0]) {
				this.#needed ??= new Set();
				this.#needed.add(link);
			}
			return link.connection;
		}
		if (this.isEmpty) return undefined;
		this.#turnedAway = true;
		this.#grow();
		return undefined;
	}

	/** A connection that is not in the pool yet. `begun` hears when it is dialed: many others may be first. */
	async connect(
		signal: AbortSignal,
		rank: DialRank,
		begun: () => void = () => {},
	): Promise<Link> {
		const { clock, dials } = this.#setting;
		const addresses = this.#addresses.length;
		const dial = (given: AbortSignal): Promise<Link> =>
			firstLink(
				this.#inOrder(),
				(address, one) => connectLink(address, this.#setting, this, one),
				given,
				clock,
			);
		return dials === undefined
			? dial(signal)
			: dials.run({ rank, addresses, dial }, signal, begun);
	}

	add(link: Link): void {
		this.#links.push(link);
		if (this.#links.length === 2) this.#lookForSurplus();
	}

	/** Asks whether the peer of a connection, of the pool or lost to it, is still there. */
	doubt(connection: ClientConnection): void {
		this.#linkOf(connection)?.doubt();
	}

	/** Lets the calls in flight finish. */
	close(): void {
		const links = [...this.#links.splice(0), ...(this.#silent ?? [])];
		this.#silent = undefined;
		for (const link of links) this.#leave(link);
		this.#stopGrowing();
		for (const { connection } of links) connection.close();
	}

	lost(link: Link, error: Error | undefined): void {
		if (this.#silent?.delete(link)) this.#owner.silenceOver(link.connection);
		this.#leave(link);
		if (!this.#take(link)) return;
		this.#shortLives ??= new ShortLives();
		const unwilling = this.#shortLives.lost(link);
		if (link.hasServed) this.#backoff?.reset();
		if (this.isEmpty) this.#stopGrowing();
		else if (isFruitless(link)) this.#rest(link.startedAt);
		if (this.#turnedAway) this.#grow();
		this.#owner.lost(link, error, unwilling);
	}

	closed(link: Link): void {
		this.#leaving?.delete(link);
		this.#shortLives?.closed(link);
		if (link.isSilent) this.#owner.silenceOver(link.connection);
	}

	/** Beside one that is silent another is made at once: by the pool, or, where it is empty now, by its owner. */
	silence(link: Link): void {
		const { connection, address, isSilent } = link;
		if (!isSilent) {
			this.#owner.silenceOver(connection);
			if (this.#silent?.delete(link)) this.#takeBack(link);
			return;
		}
		if (this.#take(link)) {
			this.#silent ??= new Set();
			this.#silent.add(link);
			if (this.isEmpty) this.#stopGrowing();
			else this.#grow();
			const error = new Error(
				`${formatAddress(address)} does not answer: it is stopped, or cut off`,
			);
			this.#owner.lost(link, error, false);
		}
		this.#owner.silent(connection);
	}

	room(): void {
		if (!this.#turnedAway) return;
		this.#turnedAway = false;
		this.#owner.room();
	}

	/** Of the pool, or lost to it. */
	#linkOf(connection: ClientConnection): Link | undefined {
		for (const links of [this.#links, this.#silent, this.#leaving]) {
			for (const link of links ?? []) {
				if (link.connection === connection) return link;
			}
		}
		return undefined;
	}

	/** Its calls may yet doubt it. */
	#leave(link: Link): void {
		if (link.connection.openCalls === 0) return;
		this.#leaving ??= new Set();
		this.#leaving.add(link);
	}

	/** false: it is not in the pool. */
	#take(link: Link): boolean {
		const index = this.#links.indexOf(link);
		if (index < 0) return false;
		this.#links.splice(index, 1);
		return true;
	}

	/** Unless it has been replaced. */
	#takeBack(link: Link): void {
		if (this.isEmpty) {
			this.add(link);
			this.#owner.found();
		} else {
			link.retire();
		}
	}

	#grow(): void {
		const { clock, maxConnectionsPerEndpoint } = this.#setting;
		if (
			this.#growth !== undefined ||
			this.#restTimer !== undefined ||
			this.#links.length >= maxConnectionsPerEndpoint ||
			// Where a further one has room for no call at all, neither has the next.
			this.#links.slice(1).some(isOfNoUse)
		) {
			return;
		}
		const restMs = this.#mayGrowAt - clock.now();
		if (restMs > 0) {
			this.#restTimer = clock.afterIdle(restMs, () => {
				this.#restTimer = undefined;
				if (this.#turnedAway) this.#grow();
			});
			return;
		}
		const growth = new AbortController();
		this.#growth = growth;
		void this.#growUnless(growth);
	}

	async #growUnless(growth: AbortController): Promise<void> {
		const startedAt = this.#setting.clock.now();
		try {
			const link = await this.connect(growth.signal, "awaited");
			if (growth.signal.aborted) link.connection.close();
			else if (link.isLost) this.#rest(startedAt);
			else this.add(link);
		} catch {
			// Those that are there go on; whoever finds them full again tries again.
			if (!growth.signal.aborted) this.#rest(startedAt);
		}
		if (this.#growth !== growth) return;
		this.#growth = undefined;
		this.room();
	}

	/** Makes no further connection until the backoff is over. */
	#rest(startedAt: number): void {
		const { random, connectBackoff } = this.#setting;
		this.#backoff ??= new Backoff(random, connectBackoff);
		this.#mayGrowAt = startedAt + this.#backoff.next();
	}

	#stopGrowing(): void {
		const growth = this.#growth;
		this.#growth = undefined;
		growth?.abort(new Error("no longer wanted"));
		this.#setting.clock.cancel(this.#restTimer);
		this.#restTimer = undefined;
		this.#setting.clock.cancel(this.#surplusTimer);
		this.#needed?.clear();
		this.#turnedAway = false;
	}

	#lookForSurplus(): void {
		this.#setting.clock.cancel(this.#surplusTimer);
		this.#surplusTimer = this.#setting.clock.afterIdle(SURPLUS_MS, () => {
			for (const link of this.#links.slice(1)) this.#closeUnneeded(link);
			this.#needed?.clear();
			if (this.#links.length > 1) this.#lookForSurplus();
		});
	}

	#closeUnneeded(link: Link): void {
		if (this.#needed?.has(link) || link.connection.openCalls > 0) return;
		this.#backoff?.reset();
		this.#links.splice(this.#links.indexOf(link), 1);
		link.connection.close();
	}

	/** That which the endpoint is connected at already comes first. */
	#inOrder(): readonly Address[] {
		const preferred = this.#links[0]?.address;
		if (preferred === undefined) return this.#addresses;
		const others = this.#addresses.filter((address) => address !== preferred);
		return [preferred, ...others];
	}
}

/** It has room for no call, though it has none. */
function isOfNoUse({ connection }: Link): boolean {
	return !connection.hasRoom && connection.openCalls === 0;
}
