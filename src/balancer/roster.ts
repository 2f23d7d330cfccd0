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
	/** The last update that named it, and its place there. */
	update: number;
	place: number;
}

/** What a balancer keeps of each endpoint from one resolution to the next. */
export class Roster<T> {
	readonly #attendance: Attendance<T>;
	readonly #rows = new Map<string, Row<T>>();
	#updates = 0;
	/** Of the last update. */
	#order: readonly Row<T>[] = [];
	/** The row in it that is likely to be next: a new list is mostly the one before. */
	#expected = 0;
	#entries: readonly T[] = [];

	constructor(attendance: Attendance<T>) {
		this.#attendance = attendance;
	}

	/** In the resolver's order; the same list until the next update. */
	get entries(): readonly T[] {
		return this.#entries;
	}

	/** Of an endpoint with that key. */
	get(key: string): T | undefined {
		return this.#rows.get(key)?.entry;
	}

	/**
	 * Of endpoints with the same key, the first counts. One whose weight is 0 is to
	 * get no calls and is left out, unless all are.
	 */
	update(endpoints: readonly Endpoint[]): void {
		this.#updates += 1;
		this.#expected = 0;
		const order: Row<T>[] = [];
		for (const endpoint of endpoints) {
			if (endpoint.weight !== 0) this.#name(endpoint, order);
		}
		if (order.length === 0) {
			for (const endpoint of endpoints) this.#name(endpoint, order);
		}
		for (const row of this.#order) {
			if (row.update === this.#updates) continue;
			this.#rows.delete(row.key);
			this.#attendance.leave(row.entry);
		}
		this.#order = order;
		this.#entries = order.map(({ entry }) => entry);
	}

	clear(): void {
		this.update([]);
	}

	#name(endpoint: Endpoint, order: Row<T>[]): void {
		const row = this.#find(endpoint) ?? this.#join(endpoint);
		if (row.update === this.#updates) return;
		if (row.update > 0) {
			this.#expected = row.place + 1;
			this.#attendance.stay(row.entry, endpoint);
		}
		row.endpoint = endpoint;
		row.update = this.#updates;
		row.place = order.length;
		order.push(row);
	}

	#find(endpoint: Endpoint): Row<T> | undefined {
		const expected = this.#order[this.#expected];
		return expected !== undefined && sameKey(expected.endpoint, endpoint)
			? expected
			: this.#rows.get(endpointKey(endpoint));
	}

	#join(endpoint: Endpoint): Row<T> {
		const key = endpointKey(endpoint);
		const entry = this.#attendance.join(endpoint);
		const row = { key, entry, endpoint, update: 0, place: 0 };
		this.#rows.set(key, row);
		return row;
	}
}
