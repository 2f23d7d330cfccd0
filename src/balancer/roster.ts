import type { Endpoint } from "../discovery/resolver.ts";
import { endpointKey, sameKey } from "./endpoint-key.ts";

/** Called for endpoints that are new, remain, or are gone in a resolution. */
export interface Attendance<T> {
	join(endpoint: Endpoint): T;
	/** The endpoint remains. Its weight and zone may have changed. */
	stay(entry: T, endpoint: Endpoint): void;
	leave(entry: T): void;
}

interface Row<T> {
	readonly key: string;
	readonly entry: T;
	/** The endpoint in the last update. */
	endpoint: Endpoint;
	/** The last update that contained it, and its place there. GONE if it has left. */
	update: number;
	place: number;
}

const GONE = -1;

/** How many endpoints join or leave in one slice of an update. That takes some milliseconds if each needs a connection made or closed. */
const SLICE = 250;

/** How many endpoints can be kept in the time that one takes to join. */
const STAYS = 128;

/** Keeps an entry for each endpoint from one resolution to the next. */
export class Roster<T> {
	readonly #attendance: Attendance<T>;
	readonly #rows = new Map<string, Row<T>>();
	#updates = 0;
	/** The unfinished update. */
	#work: Iterator<void> | undefined;
	/** How much of its present slice is left. */
	#left = 0;
	/** The rows of the last finished update. */
	#order: readonly Row<T>[] = [];
	/** The row that is probably next, because a new list is mostly the same as the one before. */
	#expected = 0;
	#entries: T[] = [];

	constructor(attendance: Attendance<T>) {
		this.#attendance = attendance;
	}

	/**
	 * The entries in the resolver's order. During an update: the entries from before it, even if they have left, and those
	 * that have joined.
	 */
	get entries(): readonly T[] {
		return this.#entries;
	}

	/** Whether an update is unfinished. `goOn` continues it. */
	get isUpdating(): boolean {
		return this.#work !== undefined;
	}

	/** Returns the entry of the endpoint with a key. */
	get(key: string): T | undefined {
		return this.#rows.get(key)?.entry;
	}

	/**
	 * Takes over a new list of endpoints. If several have the same key, the first one counts. An endpoint with the weight 0 gets
	 * no calls and is left out, unless all have it. A list that is long or has much new is taken over in slices, so that the
	 * event loop is not blocked: the first slice at once, the others by `goOn`. A new update replaces an unfinished one.
	 */
	update(endpoints: readonly Endpoint[]): void {
		this.#work = this.#takeOver(endpoints);
		this.goOn();
	}

	/** Does the next slice of an unfinished update. */
	goOn(): void {
		this.#left = SLICE;
		const work = this.#work;
		if (work?.next().done && this.#work === work) this.#work = undefined;
	}

	/** Finishes the update at once. */
	finish(): void {
		while (this.#work !== undefined) this.goOn();
	}

	*#takeOver(endpoints: readonly Endpoint[]): Generator<void> {
		const update = ++this.#updates;
		this.#expected = 0;
		// The previous array may be in use elsewhere.
		this.#entries = this.#entries.slice();
		const order: Row<T>[] = [];
		for (const endpoint of endpoints) {
			if (endpoint.weight !== 0) this.#name(endpoint, order, update);
			// The callbacks may have started another update.
			if (update !== this.#updates) return;
			if (this.#left <= 0) yield;
		}
		if (order.length === 0) {
			for (const endpoint of endpoints) {
				this.#name(endpoint, order, update);
				if (update !== this.#updates) return;
				if (this.#left <= 0) yield;
			}
		}
		// Includes rows of an update that was never finished.
		if (this.#rows.size > order.length) {
			for (const row of this.#rows.values()) {
				this.#left -= row.update === update ? 1 / STAYS : 1;
				if (row.update !== update) {
					row.update = GONE;
					this.#rows.delete(row.key);
					this.#attendance.leave(row.entry);
					if (update !== this.#updates) return;
				}
				if (this.#left <= 0) yield;
			}
		}
		this.#order = order;
		this.#entries = order.map(({ entry }) => entry);
	}

	#name(endpoint: Endpoint, order: Row<T>[], update: number): void {
		this.#left -= 1 / STAYS;
		const row = this.#find(endpoint) ?? this.#join(endpoint, update);
		if (row === undefined || row.update === update) return;
		if (row.update > 0) {
			this.#expected = row.place + 1;
			this.#attendance.stay(row.entry, endpoint);
		}
		row.endpoint = endpoint;
		row.update = update;
		row.place = order.length;
		order.push(row);
	}

	#find(endpoint: Endpoint): Row<T> | undefined {
		const expected = this.#order[this.#expected];
		return expected !== undefined &&
			expected.update !== GONE &&
			sameKey(expected.endpoint, endpoint)
			? expected
			: this.#rows.get(endpointKey(endpoint));
	}

	#join(endpoint: Endpoint, update: number): Row<T> | undefined {
		this.#left -= 1;
		const key = endpointKey(endpoint);
		const entry = this.#attendance.join(endpoint);
		if (update !== this.#updates) {
			this.#attendance.leave(entry);
			return undefined;
		}
		this.#entries.push(entry);
		const row = { key, entry, endpoint, update: 0, place: 0 };
		this.#rows.set(key, row);
		return row;
	}
}
