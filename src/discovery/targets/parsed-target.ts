import { OptionError } from "../../checks/option-error.ts";

/** The parts of a target, as the resolver of its scheme gets them. */
export interface ParsedTarget {
	/** In lower case. */
	readonly scheme: string;
	/** The text between `//` and the next slash, as written; "" if there is none. */
	readonly authority: string;
	/**
	 * The text after the authority, percent-decoded, without its leading slash.
	 * With `unix:` and `file:` it is a path of this machine and keeps its slash.
	 * With `dns:`, `ipv4:` and `ipv6:` it consists of hosts and is not decoded.
	 */
	readonly path: string;
	/** The parameters after "?". */
	readonly parameters: URLSearchParams;
	/** The target as the user wrote it. */
	readonly text: string;
}

const schemesOfLocalPaths: ReadonlySet<string> = new Set(["unix", "file"]);
const schemesOfHosts: ReadonlySet<string> = new Set(["dns", "ipv4", "ipv6"]);

/** Splits "scheme:rest". A text without a scheme is all rest. */
export function splitScheme(text: string): {
	scheme: string | undefined;
	rest: string;
} {
	const [, scheme, rest = text] =
		/^([a-z][a-z\d+.-]*):(.*)$/is.exec(text) ?? [];
	return { scheme: scheme?.toLowerCase(), rest };
}

/**
 * Splits the text after the scheme: `//authority/path?parameters`, or
 * `path?parameters`. It does not use URL, which refuses lists of hosts, IPv6
 * zones and relative paths.
 *
 * @param where the name of the target, for the error message
 * @throws OptionError for a fragment, for a percent-encoding that cannot be
 * decoded, and for a parameter that is given twice
 */
export function splitTarget(
	scheme: string,
	rest: string,
	text: string,
	where: string,
): ParsedTarget {
	if (rest.includes("#")) {
		throw new OptionError(
			where,
			'has a "#"; write %23 if it is part of a name',
		);
	}
	const [, authority = "", path = "", query = ""] =
		/^(?:\/\/([^/?]*))?([^?]*)(?:\?(.*))?$/s.exec(rest) ?? [];
	const parameters = new URLSearchParams(query);
	for (const name of parameters.keys()) {
		if (parameters.getAll(name).length > 1) {
			throw new OptionError(where, `gives ${name} twice; remove one`);
		}
	}
	return {
		scheme,
		authority,
		path: schemesOfLocalPaths.has(scheme)
			? decoded(path, where)
			: schemesOfHosts.has(scheme)
				? path.replace(/^\//, "")
				: decoded(path.replace(/^\//, ""), where),
		parameters,
		text,
	};
}

function decoded(path: string, where: string): string {
	try {
		return decodeURIComponent(path);
	} catch (cause) {
		const error = new OptionError(
			where,
			'has a "%" that does not begin an encoded UTF-8 character; write %25 for a percent sign',
		);
		error.cause = cause;
		throw error;
	}
}
