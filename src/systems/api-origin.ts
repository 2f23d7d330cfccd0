import { OptionError, shown } from "../checks/option-error.ts";
import { parseAddress } from "../discovery/targets/address.ts";
import {
	bracketed,
	type HostPort,
	parseHostPort,
} from "../discovery/targets/host-port.ts";

/** The origin of an HTTP API. */
export interface ApiOrigin {
	/** The origin for error messages. All ways to write the same origin give the same text. */
	readonly text: string;
	readonly tls: boolean;
	/** The value of the Host header (RFC 9110, section 7.2). */
	readonly host: string;
	/** What to connect to. */
	readonly at: HostPort | { readonly path: string };
	/** The prefix of the path of each request; usually "". */
	readonly prefix: string;
}

/**
 * Reads "http://host:port", "https://host:port" or "unix:/path". The first two
 * may have a path, for an API behind a gateway.
 *
 * @param where the path of the option, for the error message
 * @param defaultPort the port of a URL without one. Default: 80 or 443, by the scheme
 * @throws OptionError for any other text
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
