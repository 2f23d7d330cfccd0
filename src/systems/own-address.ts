import { networkInterfaces } from "node:os";
import type { Instance } from "../discovery/registry.ts";
import {
	bracketed,
	type HostPort,
	parseHostPort,
} from "../discovery/targets/host-port.ts";

/**
 * The host and the port at which others can reach an instance. The default host
 * is this machine's own address.
 *
 * @throws OptionError for an invalid host or port
 */
export function instanceHostPort({
	host = ownAddress(),
	port,
}: Instance): HostPort {
	return parseHostPort(
		`${host.startsWith("[") ? host : bracketed(host)}:${port}`,
		"instance.host",
	);
}

/**
 * Returns an address of this machine that other machines can probably reach: the
 * first that is neither a loopback nor a link-local address, IPv4 before IPv6.
 *
 * @throws Error if there is none
 */
export function ownAddress(interfaces = networkInterfaces()): string {
	const addresses = Object.values(interfaces)
		.flatMap((list) => list ?? [])
		.filter(
			({ internal, address }) =>
				!internal && !/^(169\.254\.|fe[89ab].:)/i.test(address),
		);
	const best =
		addresses.find(({ family }) => family === "IPv4") ?? addresses[0];
	if (best === undefined) {
		throw new Error(
			"this machine has no address that others could reach; set one as `host`",
		);
	}
	return best.address;
}
