import { nearMiss } from "./near-miss.ts";
import { OptionError, shown } from "./option-error.ts";

/**
 * Checks one value. Returns an accepted value in the form in which it is used;
 * throws an OptionError that names `where` for any other value.
 */
export type Check<T = unknown> = (value: unknown, where: string) => T;

/**
 * Describes an options object: one row for each option, with the check of its
 * value. TypeScript reports a row that is missing or has no such option.
 *
 * ```ts
 * const keepaliveOptions: OptionTable<Keepalive> = {
 * 	time: { required: parseDuration },
 * 	timeout: parseDuration,
 * 	withoutCalls: boolean,
 * };
 * checkOptions(options.keepalive, keepaliveOptions, "keepalive");
 * ```
 */
export type OptionTable<Options extends object> = {
	readonly [Key in keyof Required<Options> & string]: OptionRow;
};

/** The check of an optional value, or, wrapped in `required`, of a value that must be present. */
export type OptionRow = Check | { readonly required: Check };

/**
 * Checks an options object against its table. An option whose value is
 * `undefined` counts as absent. Symbol keys are ignored.
 *
 * @param where the path of the object, "" for the outermost
 * @throws OptionError for an unknown key (naming the key that was probably
 * meant), for an invalid value, and for a required option that is absent
 */
export function checkOptions<Options extends object>(
	options: unknown,
	table: OptionTable<Options>,
	where = "",
): asserts options is Options {
	const given = record(options, where || "options");
	refuseUnknownKeys(given, Object.keys(table), where);
	for (const [key, row] of Object.entries<OptionRow>(table)) {
		const value = given[key];
		if (value !== undefined) {
			const check = typeof row === "function" ? row : row.required;
			check(value, at(where, key));
		} else if (typeof row !== "function") {
			throw new OptionError(at(where, key), "is missing", "missing");
		}
	}
}

/** Throws an OptionError for the first own key that is not in `known`. */
export function refuseUnknownKeys(
	options: object,
	known: readonly string[],
	where: string,
): void {
	for (const key of Object.keys(options)) {
		if (!known.includes(key)) {
			const meant = nearMiss(key, known);
			throw new OptionError(
				at(where, key),
				meant === undefined
					? `is not an option; the options here are ${known.join(", ")}`
					: `is not an option; did you mean ${meant}?`,
				"unknown",
			);
		}
	}
}

/** Appends a key or an index to the path `where`. */
export function at(where: string, key: string | number): string {
	if (typeof key === "number") {
		return `${where}[${key}]`;
	}
	return where === "" ? key : `${where}.${key}`;
}

// ── The checks that tables are made of. parseDuration and parseCode are checks too. ──

/** Accepts every value: for an option that is checked elsewhere. */
export const anything: Check = (value) => value;

export const boolean: Check<boolean> = (value, where) =>
	typeof value === "boolean" ? value : refuse(value, where, "true or false");

/** Accepts a string that is not empty. */
export const text: Check<string> = (value, where) =>
	typeof value === "string" && value !== ""
		? value
		: refuse(value, where, "a string with something in it");

// biome-ignore lint/complexity/noBannedTypes: the check does not know the signature that the option's type declares
export const callable: Check<Function> = (value, where) =>
	typeof value === "function" ? value : refuse(value, where, "a function");

/** Accepts an object that is not an array, a function or a promise. */
export const record: Check<Readonly<Record<string, unknown>>> = (
	value,
	where,
) => {
	if (typeof value !== "object" || value === null || Array.isArray(value)) {
		return refuse(value, where, "an object");
	}
	if (value instanceof Promise) {
		throw new OptionError(where, "is a promise; await it");
	}
	return value as Record<string, unknown>;
};

export function integer(
	min: number,
	max: number = Number.MAX_SAFE_INTEGER,
): Check<number> {
	const range =
		max === Number.MAX_SAFE_INTEGER
			? `a whole number that is ${min} or more`
			: `a whole number from ${min} to ${max}`;
	return (value, where) =>
		Number.isSafeInteger(value) &&
		(value as number) >= min &&
		(value as number) <= max
			? (value as number)
			: refuse(value, where, range);
}

export function oneOf<const T extends string | number | boolean>(
	...values: readonly T[]
): Check<T> {
	return (value, where) =>
		values.includes(value as T)
			? (value as T)
			: refuse(value, where, values.map(shown).join(" or "));
}

export function listOf<T>(check: Check<T>): Check<T[]> {
	return (value, where) =>
		Array.isArray(value)
			? value.map((item, index) => check(item, at(where, index)))
			: refuse(value, where, "a list");
}

/** Accepts an object with any keys whose values all pass the same check. Keys with the value `undefined` are left out. */
export function mapOf<T>(check: Check<T>): Check<Record<string, T>> {
	return (value, where) =>
		Object.fromEntries(
			Object.entries(record(value, where))
				.filter(([, item]) => item !== undefined)
				.map(([key, item]) => [key, check(item, at(where, key))]),
		);
}

/** Accepts an object that fits a table of its own. */
export function optionsOf<Options extends object>(
	table: OptionTable<Options>,
): Check<Options> {
	return (value, where) => {
		checkOptions(value, table, where);
		return value;
	};
}

/**
 * Accepts a value that one of several checks accepts, and returns the result of
 * the first such check. When every check fails, it throws the error of a check
 * that found a fault inside the value, or else an error that asks for `what`.
 */
export function either<T>(
	what: string,
	...checks: readonly Check<T>[]
): Check<T> {
	return (value, where) => {
		let innerError: OptionError | undefined;
		for (const check of checks) {
			try {
				return check(value, where);
			} catch (error) {
				if (!(error instanceof OptionError)) {
					throw error;
				}
				innerError ??= error.option === where ? undefined : error;
			}
		}
		if (innerError !== undefined) {
			throw innerError;
		}
		return refuse(value, where, what);
	};
}

function refuse(value: unknown, where: string, wanted: string): never {
	throw new OptionError(where, `${shown(value)} is not ${wanted}`);
}
