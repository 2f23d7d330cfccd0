import { OptionError, shown } from "../checks/option-error.ts";
import { at, type Check, record } from "../checks/option-table.ts";

/**
 * The fields of a message in proto3 JSON. A name may be in lowerCamelCase or as
 * in the proto (`retry_policy`). A field that is null counts as absent.
 */
export class JsonFields {
	readonly #fields = new Map<string, unknown>();
	readonly #where: string;

	/** @throws OptionError for a value that is not an object, and for a field that is given in both spellings */
	constructor(value: unknown, where: string) {
		this.#where = where;
		for (const [spelled, field] of Object.entries(record(value, where))) {
			if (field === null || field === undefined) {
				continue;
			}
			const name = spelled.replace(/_([a-z])/g, (_, letter: string) =>
				letter.toUpperCase(),
			);
			if (this.#fields.has(name)) {
				throw new OptionError(at(where, name), "is given twice; remove one");
			}
			this.#fields.set(name, field);
		}
	}

	has(name: string): boolean {
		return this.#fields.has(name);
	}

	/** Returns the field as `check` reads it, or `undefined` if it is absent. */
	optional<T>(name: string, check: Check<T>): T | undefined {
		return this.has(name)
			? check(this.#fields.get(name), at(this.#where, name))
			: undefined;
	}

	/**
	 * Returns the field as `check` reads it.
	 *
	 * @throws OptionError if it is absent
	 */
	required<T>(name: string, check: Check<T>): T {
		if (!this.has(name)) {
			throw new OptionError(at(this.#where, name), "is missing", "missing");
		}
		return check(this.#fields.get(name), at(this.#where, name));
	}
}

/** Reads a double in proto3 JSON: a number, or a string that holds a number. */
export function parseDouble(value: unknown, where: string): number {
	const number = numberOf(value);
	if (number === undefined || !Number.isFinite(number)) {
		throw new OptionError(where, `${shown(value)} is not a number`);
	}
	return number;
}

/** Reads a uint32 in proto3 JSON: a whole number from 0 to 4294967295, or a string that holds one. */
export function parseUint32(value: unknown, where: string): number {
	const number = numberOf(value);
	if (number === undefined || number < 0 || number !== number >>> 0) {
		throw new OptionError(
			where,
			`${shown(value)} is not a whole number from 0 to 4294967295`,
		);
	}
	return number;
}

function numberOf(value: unknown): number | undefined {
	if (typeof value === "number") {
		return value;
	}
	return typeof value === "string" &&
		/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)
		? Number(value)
		: undefined;
}
