/** One key or a range of keys, as in etcd's requests. */
export interface KeyRange {
	readonly key: Uint8Array<ArrayBuffer>;
	/** The first key after the range. If it is empty, the range is only `key`. */
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

/** The keys under `prefix`: those that begin with the prefix and a slash. */
export function keysUnder(prefix: string): KeyRange {
	// "0" is the character after "/".
	return { key: keyBytes(`${prefix}/`), rangeEnd: keyBytes(`${prefix}0`) };
}
