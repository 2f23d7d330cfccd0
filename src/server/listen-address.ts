import { type Address, parseAddress } from "../discovery/address.ts";
import { parseHostPort } from "../discovery/host-port.ts";

/**
 * Where a server is to listen; port 0 is any that is free. Reads "127.0.0.1:50051", "[::]:50051", "localhost:0", "unix:path" or "unix-abstract:name".
 *
 * @throws PolicyError for anything else
 */
export function parseListenAddress(text: string): Address {
	const address = `listen address "${text}"`;
	// Nobody can connect to port 0, so addresses elsewhere have none.
	if (/^(?!unix(-abstract)?:).*:0$/s.test(text)) {
		const { host } = parseHostPort(`${text.slice(0, -1)}1`, address);
		return { kind: "tcp", host, port: 0 };
	}
	return parseAddress(text, address);
}
