import { OptionError, shown } from "../checks/option-error.ts";
import { parseAddress } from "../discovery/targets/address.ts";
import {
	bracketed,
	type HostPort,
	parseHostPort,
} from "../discovery/targets/host-port.ts";

/** Where an HTTP API is. */
export interface ApiOrigin {
	/** As errors name it, and the same for every way to write it. */
	readonly text: string;
	readonly tls: boolean;
	/** For the header of that name (RFC 9110, section 7.2). */
	readonly host: string;
	readonly at: HostPort | { readonly path: string };
	/** What the path of each request begins with; "" for most. */
	readonly prefix: string;
}

/**
 * Reads "http://host:port", "https://host:port" or "unix:/path"; the first two
 * may have a path, as an API behind a gateway has.
 *
 * @param where the path that the error names
 * @param defaultPort for a URL without a port; else 80 or 443
 * @throws OptionError for anything else
 */
export function parseOrigin(
	text: string,
	where: string,
	defaultPort?: number,
): ApiOrigin {
	if (/^unix(-abstract)?:/.test(text)) {
		const { path } = parseAddress(text, where) as { path: string };
		return { text, tls: false, host: "localhost", at: { path }, prefix: "" };
	}
	const [, scheme, authority = "", path = ""] =
		/^(https?):\/\/([^/?#@]+)(\/[^?#\s]*)?$/i.exec(text) ?? [];
	if (scheme === undefined) {
		throw new OptionError(
			where,
			`${shown(text)} is not the origin of an HTTP API; write it as in http://127.0.0.1:8500, https://host:443 or unix:/path`,
		);
	}
	const tls = scheme.toLowerCase() === "https";
	const usual = tls ? 443 : 80;
	const at = parseHostPort(authority, where, defaultPort ?? usual);
	const prefix = path.replace(/\/+$/, "");
	const name = bracketed(at.host.replace(/%.*$/, ""));
	return {
		text: `${tls ? "https" : "http"}://${bracketed(at.host)}:${at.port}${prefix}`,
		tls,
		host: at.port === usual ? name : `${name}:${at.port}`,
		at,
		prefix,
	};
}
