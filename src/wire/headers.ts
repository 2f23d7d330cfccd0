/** Name, value, name, value, … as on the wire: in order, names in lower case, repeated names kept. */
export type RawHeaders = readonly string[];

export const NO_HEADERS: RawHeaders = [];

/** The value of a header; the first one if the name is repeated. */
export function headerOf(
	headers: RawHeaders,
	name: string,
): string | undefined {
	for (let i = 0; i < headers.length; i += 2) {
		if (headers[i] === name) return headers[i + 1];
	}
	return undefined;
}

/** All values of a header, in order. */
export function valuesOf(headers: RawHeaders, name: string): string[] {
	return headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name);
}
