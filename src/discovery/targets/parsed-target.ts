import { OptionError } from "../../checks/option-error.ts";

/** A target taken apart, as the resolver of a scheme gets it. */
export interface ParsedTarget {
	/** In lower case. */
	readonly scheme: string;
	/** What stands between `//` and the next slash, as written; "" where there is none. */
	readonly authority: string;
	/**
	 * What follows, percent-decoded, without the slash that it begins with. The
	 * path of `unix:` and `file:` is one of this machine and keeps its slash; that
	 * of `dns:`, `ipv4:` and `ipv6:` is made of hosts and is as written.
	 */
	readonly path: string;
	readonly parameters: URLSearchParams;
	/** The target as it was given. */
	readonly text: string;
}

const localPath: ReadonlySet<string> = new Set(["unix", "file"]);
const hosts: ReadonlySet<string> = new Set(["dns", "ipv4", "ipv6"]);

/** `scheme:rest`, or no scheme. */
export function splitScheme(text: string): {
	scheme: string | undefined;
	rest: string;
} {
	const [, scheme, rest = text] =
		/^([a-z][a-z\d+.-]*):(.*)$/is.exec(text) ?? [];
	return { scheme: scheme?.toLowerCase(), rest };
}

/**
 * Takes apart what follows the scheme: `//authority/path?parameters`, or
 * `path?parameters`. By hand, as URL refuses lists of hosts, IPv6 zones and
 * relative paths.
 *
 * @param where the path that the error names
 * @throws OptionError for a fragment, for percent-coding that cannot be decoded
 * and for a parameter that is given twice
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
		path: localPath.has(scheme)
			? decoded(path, where)
			: hosts.has(scheme)
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
			'has a "%" that begins no UTF-8 character; write %25 for the sign itself',
		);
		error.cause = cause;
		throw error;
	}
}
