const UNITS = [
	["n", 1e-6],
	["u", 1e-3],
	["m", 1],
	["S", 1e3],
	["M", 60e3],
	["H", 3600e3],
] as const;

const MAX_DIGITS = 8;
const MAX_VALUE = 99_999_999;

/** The character code of "0". */
const ZERO = 0x30;

/**
 * The value of `grpc-timeout` for `ms` milliseconds: 1 to 8 digits and the finest unit in which the digits suffice. It is
 * rounded down, so that the server never waits longer than the client, and is at least "1n" (PROTOCOL-HTTP2, "Timeout").
 */
export function formatTimeout(ms: number): string {
	for (const [unit, size] of UNITS) {
		const value = Math.floor(ms / size);
		if (value <= MAX_VALUE) return `${Math.max(value, 1)}${unit}`;
	}
	return `${MAX_VALUE}H`;
}

/** Parses a `grpc-timeout` into milliseconds; undefined if it is malformed (PROTOCOL-HTTP2, "Timeout"). */
export function parseTimeout(text: string): number | undefined {
	const digits = text.length - 1;
	if (digits < 1 || digits > MAX_DIGITS) return undefined;
	let value = 0;
	for (let i = 0; i < digits; i++) {
		const digit = text.charCodeAt(i) - ZERO;
		if (digit < 0 || digit > 9) return undefined;
		value = 10 * value + digit;
	}
	const unit = text[digits];
	for (const [name, size] of UNITS) {
		if (name === unit) return value * size;
	}
	return undefined;
}
