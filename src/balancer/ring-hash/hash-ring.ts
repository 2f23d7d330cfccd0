/** More owners than this fit in no ring: a place is one number, its hash in front and its owner behind. */
const OWNERS = 2 ** 21;

/** Points on a circle of 2³² hashes, each owned by somebody, who is a number. */
export class HashRing {
	/** In order. */
	readonly #places: Float64Array;

	private constructor(places: Float64Array) {
		this.#places = places;
	}

	static readonly empty: HashRing = new HashRing(new Float64Array(0));

	get size(): number {
		return this.#places.length;
	}

	/** The index of the first point whose hash is not below this one, round the end: O(log n). */
	find(hash: number): number {
		const place = hash * OWNERS;
		let low = 0;
		let high = this.#places.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.#places[middle] as number) < place) low = middle + 1;
			else high = middle;
		}
		return low === this.#places.length ? 0 : low;
	}

	ownerAt(index: number): number {
		return ownerOf(this.#places[index] as number);
	}

	/** A ring that lacks the points of those `gone` and has these instead: O(n), sorting only what is new. */
	changed(
		gone: ReadonlySet<number>,
		points: readonly { readonly hash: number; readonly owner: number }[],
	): HashRing {
		const added = new Float64Array(points.length);
		for (let i = 0; i < points.length; i++) {
			const { hash, owner } = points[i] as (typeof points)[number];
			added[i] = hash * OWNERS + owner;
		}
		added.sort();
		const places = new Float64Array(this.#places.length + added.length);
		let size = 0;
		let next = 0;
		for (const place of this.#places) {
			if (gone.size > 0 && gone.has(ownerOf(place))) continue;
			while (next < added.length && (added[next] as number) < place) {
				places[size++] = added[next++] as number;
			}
			places[size++] = place;
		}
		while (next < added.length) places[size++] = added[next++] as number;
		return new HashRing(places.slice(0, size));
	}
}

function ownerOf(place: number): number {
	return place - Math.floor(place / OWNERS) * OWNERS;
}
