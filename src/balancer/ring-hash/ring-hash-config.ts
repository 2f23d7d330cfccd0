import { OptionError, shown } from "../../checks/option-error.ts";
import { at, type Check } from "../../checks/option-table.ts";
import { JsonFields, parseUint32 } from "../../policy/proto-json.ts";

export interface RingHashConfig {
	/** The ring has at least this many points, if `maxRingSize` allows it. */
	readonly minRingSize: number;
	/** The ring has at most this many points, or one for each endpoint if those are more. */
	readonly maxRingSize: number;
	/** The name of the header whose value is the key of calls without `hashKey`. */
	readonly requestHashHeader: string | undefined;
}

/** The defaults of gRPC (gRFC A42). */
export const DEFAULT_RING: RingHashConfig = {
	minRingSize: 1024,
	maxRingSize: 4096,
	requestHashHeader: undefined,
};

/** The limit of Envoy and gRPC. */
const LARGEST_RING = 8 * 1024 * 1024;

/** @throws OptionError that names the bad field */
export function readRingHashConfig(
	config: unknown,
	where: string,
): RingHashConfig {
	const fields = new JsonFields(config, where);
	const minRingSize =
		fields.optional("minRingSize", ringSize) ?? DEFAULT_RING.minRingSize;
	const maxRingSize =
		fields.optional("maxRingSize", ringSize) ??
		Math.max(minRingSize, DEFAULT_RING.maxRingSize);
	if (minRingSize > maxRingSize) {
		throw new OptionError(
			at(where, "minRingSize"),
			`${minRingSize} is more than maxRingSize, ${maxRingSize}`,
		);
	}
	const requestHashHeader = fields.optional("requestHashHeader", headerName);
	return { minRingSize, maxRingSize, requestHashHeader };
}

const ringSize: Check<number> = (value, where) => {
	const size = parseUint32(value, where);
	if (size >= 1 && size <= LARGEST_RING) return size;
	throw new OptionError(
		where,
		`${shown(value)} is not from 1 to ${LARGEST_RING}`,
	);
};

const headerName: Check<string | undefined> = (value, where) => {
	// In proto3 JSON, an empty string is the same as none.
	if (value === "") return undefined;
	if (typeof value !== "string" || !/^[0-9a-z_.-]+$/i.test(value)) {
		throw new OptionError(
			where,
			`${shown(value)} is no name of metadata: letters, digits, "_", "-" and "."`,
		);
	}
	if (!/-bin$/i.test(value)) return value.toLowerCase();
	throw new OptionError(
		where,
		`${shown(value)} is binary metadata; name a textual one, without "-bin"`,
	);
};
