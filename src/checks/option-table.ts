import { nearMiss } from "./near-miss.ts";
import { OptionError, shown } from "./option-error.ts";

/** Returns the value that it accepts, as it is used; throws a OptionError that names `where` for any other. */
export type Check<T = unknown> = (value: unknown, where: string) => T;

/**
 * What an options object may hold: one row an option, with the check of its
 * value. The compiler holds the rows against the type's keys.
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

/** The check of a value that may be absent, or of one that may not. */
export type OptionRow = Check | { readonly required: Check };

/**
 * Holds an options object against its table. An option that is `undefined` is
 * absent; symbol keys are not looked at.
 *
 * @param where the path of the object, "" for the outermost
 * @throws OptionError that names the key, for an unknown one (with the one that
 * was probably meant), a bad value, or a required one that is absent
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

/** Throws a OptionError for the first own key that is not among the known ones. */
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

/** The path of a key or of an index under `where`. */
export function at(where: string, key: string | number): string {
	if (typeof key === "number") {
		return `${where}[${key}]`;
	}
	return where === "" ? key : `${where}.${key}`;
}

// ── The checks of which tables are made. parseDuration and parseCode are checks too. ──

/** Checked elsewhere. */
export const anything: Check = (value) => value;

export const boolean: Check<boolean> = (value, where) =>
	typeof value === "boolean" ? value : refuse(value, where, "true or false");

/** A string that is not empty. */
export const text: Check<string> = (value, where) =>
	typeof value === "string" && value !== ""
		? value
		: refuse(value, where, "a string with something in it");

// biome-ignore lint/complexity/noBannedTypes: what is called, and how, is the option's own affair
export const callable: Check<Function> = (value, where) =>
	typeof value === "function" ? value : refuse(value, where, "a function");

/** An object that is no list, no function, and no promise of one. */
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

/** An object whose keys are free and whose values all pass the same check; `undefined` ones are absent. */
export function mapOf<T>(check: Check<T>): Check<Record<string, T>> {
	return (value, where) =>
		Object.fromEntries(
			Object.entries(record(value, where))
				.filter(([, item]) => item !== undefined)
				.map(([key, item]) => [key, check(item, at(where, key))]),
		);
}

/** An object with a table of its own. */
export function optionsOf<Options extends object>(
	table: OptionTable<Options>,
): Check<Options> {
	return (value, where) => {
		checkOptions(value, table, where);
		return value;
	};
}

/**
 * The first check that accepts the value. When none does, the error is that of
 * a check that looked inside the value, else it asks for `what`.
 */
export function either<T>(
	what: string,
	...checks: readonly Check<T>[]
): Check<T> {
	return (value, where) => {
		let deeper: OptionError | undefined;
		for (const check of checks) {
			try {
				return check(value, where);
			} catch (error) {
				if (!(error instanceof OptionError)) {
					throw error;
				}
				deeper ??= error.option === where ? undefined : error;
			}
		}
		if (deeper !== undefined) {
			throw deeper;
		}
		return refuse(value, where, what);
	};
}

function refuse(value: unknown, where: string, wanted: string): never {
	throw new OptionError(where, `${shown(value)} is not ${wanted}`);
}
