import { OptionError, shown } from "../../checks/option-error.ts";

/** A host and its port. An IPv6 host has no brackets and may have a zone ("fe80::1%eth0"). */
export interface HostPort {
	readonly host: string;
	readonly port: number;
}

/**
 * Reads "host:port". The host is a name, an IPv4 address, or an IPv6 address in
 * brackets. The zone of an IPv6 address follows "%" or, as in URLs, "%25"
 * (RFC 6874). Names with non-ASCII characters are returned in their IDNA form,
 * and IPv6 addresses in their short form.
 *
 * @param where the path of the text, for the error message
 * @param defaultPort the port of a text without one; if it is absent, such a text is an error
 * @throws OptionError for any other text
 */
export function parseHostPort(
	text: string,
	where: string,
	defaultPort?: number,
): HostPort {
	const match = /^(\[[^\]]*\]|[^:[\]]*)(?::([^:]*))?$/.exec(text);
	if (match === null) {
		throw new OptionError(
			where,
			/^[\da-f:.]+$/i.test(text)
				? `${shown(text)} is ambiguous; an IPv6 address goes in brackets, as in [::1]:50051`
				: `${shown(text)} is not host:port`,
		);
	}
	const [, host = "", port] = match;
	return {
		host: parseHost(host, where),
		port:
			port === undefined && defaultPort !== undefined
				? defaultPort
				: parsePort(port, where),
	};
}

/** Formats "host:port", with an IPv6 host in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
	return `${bracketed(host)}:${port}`;
}

/** Returns the host as it is written before a port: an IPv6 address in brackets. */
export function bracketed(host: string): string {
	return host.includes(":") ? `[${host}]` : host;
}

export function isIPv4(host: string): boolean {
	const byte = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
	return new RegExp(`^${byte}(\\.${byte}){3}$`).test(host);
}

/** Whether a host that `parseHostPort` returned is an IPv6 address: only those have a colon. */
export function isIPv6(host: string): boolean {
	return host.includes(":");
}

function parsePort(text: string | undefined, where: string): number {
	if (text === undefined || text === "") {
		throw new OptionError(where, "has no port; add one, as in localhost:50051");
	}
	const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
	if (port < 1 || port > 65535) {
		throw new OptionError(
			where,
			`port ${shown(text)} is not a number from 1 to 65535`,
		);
	}
	return port;
}

function parseHost(text: string, where: string): string {
	if (text === "" || text === "[]") {
		throw new OptionError(
			where,
			"names no host; write one, as in localhost:50051",
		);
	}
	return text.startsWith("[")
		? parseIPv6(text.slice(1, -1), where)
		: parseName(text, where);
}

function parseIPv6(text: string, where: string): string {
	const [, address = "", zone] =
		/^([\da-f:.]+)(?:%(?:25)?([\w.~-]+))?$/i.exec(text) ?? [];
	const short = address.includes(":") ? urlHost(`[${address}]`) : undefined;
	if (short === undefined) {
		throw new OptionError(
			where,
			`${shown(text)} is not an IPv6 address; only those go in brackets`,
		);
	}
	return short.slice(1, -1) + (zone === undefined ? "" : `%${zone}`);
}

/** Reads a host name: letters, digits, hyphens and dots (RFC 1123), and the underscores of SRV names. */
function parseName(text: string, where: string): string {
	if (isIPv4(text)) {
		return text;
	}
	// Only text that URL can read as nothing but a host is given to it.
	const ascii = /^[\w.-]+$/.test(text)
		? text
		: /^[\w.\-\u0080-\u{10ffff}]+$/u.test(text)
			? urlHost(text)
			: undefined;
	if (ascii === undefined || !isName(ascii)) {
		throw new OptionError(
			where,
			`${shown(text)} is not the name or the address of a host`,
		);
	}
	return ascii;
}

function isName(host: string): boolean {
	const labels = host.replace(/\.$/, "").split(".");
	return (
		host.length <= 254 &&
		labels.every((label) => /^\w([\w-]{0,61}\w)?$/.test(label)) &&
		// A last label of digits would make it an IPv4 address, and it is not a valid one.
		!/^\d+$/.test(labels.at(-1) ?? "")
	);
}

function urlHost(host: string): string | undefined {
	return URL.parse(`http://${host}`)?.hostname;
}
