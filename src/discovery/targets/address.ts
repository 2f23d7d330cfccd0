import { OptionError } from "../../checks/option-error.ts";
import { formatHostPort, type HostPort, parseHostPort } from "./host-port.ts";

/** The address of a connection: a TCP host and port, or a Unix domain socket. */
export type Address =
	| ({ readonly kind: "tcp" } & HostPort)
	/** The path as `net.connect` takes it. The path of an abstract socket begins with NUL. */
	| { readonly kind: "unix"; readonly path: string };

/** The longest `sun_path` on Linux, without the NUL at its end (unix(7)). */
const MAX_PATH_BYTES = 107;

/**
 * Reads the address of an endpoint: "host:port", "[::1]:port", "unix:path" or
 * "unix-abstract:name". Percent-encoding has a meaning only in an IPv6 zone.
 *
 * @param where the path of the address, for the error message
 * @throws OptionError for any other text
 */
export function parseAddress(address: string, where: string): Address {
	const [, scheme, name = ""] =
		/^(unix|unix-abstract):(.*)$/s.exec(address) ?? [];
	if (scheme === undefined) {
		return { kind: "tcp", ...parseHostPort(address, where) };
	}
	const path = scheme === "unix" ? name : `\0${name}`;
	if (name === "") {
		throw new OptionError(
			where,
			`names no socket; write one, as in ${scheme}:${scheme === "unix" ? "/run/x.sock" : "x"}`,
		);
	}
	if (scheme === "unix" && name.includes("\0")) {
		throw new OptionError(where, "has a NUL in its path");
	}
	if (new TextEncoder().encode(path).length > MAX_PATH_BYTES) {
		throw new OptionError(
			where,
			`has a path of more than ${MAX_PATH_BYTES} bytes, which no socket can have; shorten it`,
		);
	}
	return { kind: "unix", path };
}

/** Formats an address. All ways to write the same address give the same text. */
export function formatAddress(address: Address): string {
	if (address.kind === "tcp") {
		return formatHostPort(address);
	}
	return address.path.startsWith("\0")
		? `unix-abstract:${address.path.slice(1)}`
		: `unix:${address.path}`;
}
