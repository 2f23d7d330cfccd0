import { OptionError, shown } from "../../checks/option-error.ts";
import { type Address, parseAddress } from "../../discovery/targets/address.ts";
import { parseHostPort } from "../../discovery/targets/host-port.ts";

/**
 * Parses an address to listen on: "127.0.0.1:50051", "[::]:50051", "localhost:0", "unix:path" or "unix-abstract:name". Port 0
 * stands for any free port.
 *
 * @throws OptionError for anything else
 */
export function parseListenAddress(text: unknown): Address {
	if (typeof text !== "string") throw noText(text);
	const address = `listen address "${text}"`;
	// With a port alone, other servers listen on all addresses.
	const port = /^:?(\d+)$/.exec(text)?.[1];
	if (port !== undefined) throw new OptionError(address, withHost(port));
	// `parseHostPort` refuses port 0, which nobody can connect to.
	if (/^(?!unix(-abstract)?:).*:0$/s.test(text)) {
		const { host } = parseHostPort(`${text.slice(0, -1)}1`, address);
		return { kind: "tcp", host, port: 0 };
	}
	return parseAddress(text, address);
}

/** Explains the form of an address to whoever gives a port or options, as Node's own servers take them. */
function noText(given: unknown): OptionError {
	const { port, host } = (given ?? {}) as { port?: unknown; host?: unknown };
	const wanted = typeof given === "number" ? given : port;
	const what = Number.isSafeInteger(wanted)
		? withHost(String(wanted), typeof host === "string" ? host : undefined)
		: 'write one as text: "127.0.0.1:50051", "[::]:50051", "unix:/run/x.sock"';
	return new OptionError(`listen address ${shown(given)}`, what);
}

function withHost(port: string, host?: string): string {
	if (host !== undefined) {
		return `write host and port as text: "${host.includes(":") ? `[${host}]` : host}:${port}"`;
	}
	return `write host and port as text: "127.0.0.1:${port}" for this machine alone, "[::]:${port}" for all who can reach it`;
}
