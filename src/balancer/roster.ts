import type { Endpoint } from "../discovery/resolver.ts";
import { endpointKey, sameKey } from "./endpoint-key.ts";

/** What is to be done as endpoints come, stay and go. */
export interface Attendance<T> {
	join(endpoint: Endpoint): T;
	/** Its weight and zone may have changed. */
	stay(entry: T, endpoint: Endpoint): void;
	leave(entry: T): void;
}

interface Row<T> {
	readonly key: string;
	readonly entry: T;
	/** As the last update had it. */
	endpoint: Endpoint;
	/** The last update that named it, and its place there; GONE once it has left. */
	update: number;
	place: number;
}

const GONE = -1;

/** So many join or leave in one slice of an update: some milliseconds, where each has a connection to be made or closed. */
const SLICE = 250;

/** So many stay in the time in which one joins. */
const STAYS = 128;

/** What a balancer keeps of each endpoint from one resolution to the next. */
export class Roster<T> {
	readonly #attendance: Attendance<T>;
	readonly #rows = new Map<string, Row<T>>();
	#updates = 0;
	/** The update that is under way. */
	#work: Iterator<void> | undefined;
	/** What is left of its slice. */
	#left = 0;
	/** Of the last update that was finished. */
	#order: readonly Row<T>[] = [];
	/** The row in it that is likely to be next: a new list is mostly the one before. */
	#expected = 0;
	#entries: T[] = [];

	constructor(attendance: Attendance<T>) {
		this.#attendance = attendance;
	}

	/**
	 * In the resolver's order. While an update is under way: those that were there before it, though they may have left, and
	 * those that have joined.
	 */
	get entries(): readonly T[] {
		return this.#entries;
	}

	/** An update is under way: `goOn` goes on with it. */
	get isUpdating(): boolean {
		return this.#work !== undefined;
	}

	/** Of an endpoint with that key. */
	get(key: string): T | undefined {
		return this.#rows.get(key)?.entry;
	}

	/**
	 * Of endpoints with the same key, the first counts. One whose weight is 0 is to
	 * get no calls and is left out, unless all are. A long list, or one of which
	 * much is new, is taken over in slices, lest the event loop stand still: the
	 * first at once, the others by `goOn`. One that comes meanwhile takes its place.
	 */
	update(endpoints: readonly Endpoint[]): void {
		this.#work = this.#takeOver(endpoints);
		this.goOn();
	}

	/** The next slice of an update that is under way. */
	goOn(): void {
		this.#left = SLICE;
		const work = this.#work;
		if (work?.next().done && this.#work === work) this.#work = undefined;
	}

	/** All at once. */
	finish(): void {
		while (this.#work !== undefined) this.goOn();
	}

	*#takeOver(endpoints: readonly Endpoint[]): Generator<void> {
		const update = ++this.#updates;
		this.#expected = 0;
		// The one before may have been handed out.
		this.#entries = this.#entries.slice();
		const order: Row<T>[] = [];
		for (const endpoint of endpoints) {
			if (endpoint.weight !== 0) this.#name(endpoint, order, update);
			// What hears of one that comes or goes may have begun another update.
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
		// Also those of an update that was never finished.
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
