/** The limit for the number of owners. A point is stored as one number: the hash in the high bits, the owner in the low ones. */
const OWNERS = 2 ** 21;

/** An immutable ring of points with hashes below 2³². Each point belongs to an owner, which is a number. */
export class HashRing {
	/** The points, sorted. */
	readonly #places: Float64Array;

	private constructor(places: Float64Array) {
		this.#places = places;
	}

	static readonly empty: HashRing = new HashRing(new Float64Array(0));

	get size(): number {
		return this.#places.length;
	}

	/** Returns the index of the first point whose hash is at least the given one, wrapping around at the end. O(log n). */
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

	/** Returns a ring without the points of the owners in `gone` and with these points. O(n), because only new points are sorted. */
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
