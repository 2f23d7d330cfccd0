import { networkInterfaces } from "node:os";

/**
 * An address of this machine that others may reach: the first that is neither a
 * loopback's nor a link's own, IPv4 before IPv6.
 *
 * @throws Error where there is none
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
			"this machine has no address that others could reach; name one as `host`",
		);
	}
	return best.address;
}
