import { OptionError, shown } from "../../checks/option-error.ts";
import { type Address, parseAddress } from "../../discovery/targets/address.ts";
import { parseHostPort } from "../../discovery/targets/host-port.ts";

/**
 * Where a server is to listen; port 0 is any that is free. Reads "127.0.0.1:50051", "[::]:50051", "localhost:0", "unix:path" or "unix-abstract:name".
 *
 * @throws OptionError for anything else
 */
export function parseListenAddress(text: unknown): Address {
	if (typeof text !== "string") throw noText(text);
	const address = `listen address "${text}"`;
	// Other servers listen everywhere then.
	const port = /^:?(\d+)$/.exec(text)?.[1];
	if (port !== undefined) throw new OptionError(address, withHost(port));
	// Nobody can connect to port 0, so addresses elsewhere have none.
	if (/^(?!unix(-abstract)?:).*:0$/s.test(text)) {
		const { host } = parseHostPort(`${text.slice(0, -1)}1`, address);
		return { kind: "tcp", host, port: 0 };
	}
	return parseAddress(text, address);
}

/** Node's own servers take a port, or options. */
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
