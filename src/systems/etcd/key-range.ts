/** One key, or those from a key to another, as etcd's requests have them. */
export interface KeyRange {
	readonly key: Uint8Array<ArrayBuffer>;
	/** The first key beyond; empty: `key` alone. */
	readonly rangeEnd: Uint8Array<ArrayBuffer>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function keyBytes(key: string): Uint8Array<ArrayBuffer> {
	return encoder.encode(key);
}

export function keyText(key: Uint8Array): string {
	return decoder.decode(key);
}

export function oneKey(key: string): KeyRange {
	return { key: keyBytes(key), rangeEnd: new Uint8Array() };
}

/** The keys under `prefix`, which are those that begin with it and a slash. */
export function keysUnder(prefix: string): KeyRange {
	// "0" is what follows "/".
	return { key: keyBytes(`${prefix}/`), rangeEnd: keyBytes(`${prefix}0`) };
}
