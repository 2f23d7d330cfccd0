import type { NetworkInterfaceInfo } from "node:os";
import { expect, test } from "vitest";
import { ownAddress } from "./own-address.ts";

function at(address: string, internal = false): NetworkInterfaceInfo {
	const family = address.includes(":") ? "IPv6" : "IPv4";
	return { address, family, internal } as NetworkInterfaceInfo;
}

test.each<[string, NetworkInterfaceInfo[][], string]>([
	["skips loopback", [[at("127.0.0.1", true)], [at("10.0.0.1")]], "10.0.0.1"],
	["prefers IPv4", [[at("2001:db8::1"), at("10.0.0.1")]], "10.0.0.1"],
	["takes IPv6 where that is all", [[at("2001:db8::1")]], "2001:db8::1"],
	[
		"skips what only a link knows",
		[[at("fe80::1"), at("169.254.0.1")], [at("2001:db8::1")]],
		"2001:db8::1",
	],
	["takes the first", [[at("10.0.0.1")], [at("10.0.0.2")]], "10.0.0.1"],
])("%s", (_, interfaces, address) => {
	expect(ownAddress(Object.fromEntries(interfaces.entries()))).toBe(address);
});

test("the error for a machine without an address says what to do", () => {
	expect(() => ownAddress({ lo: [at("127.0.0.1", true)] })).toThrow(
		"set one as `host`",
	);
});
