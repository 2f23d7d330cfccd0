import { expect, test } from "vitest";
import type { Endpoint } from "../../discovery/resolver.ts";
import { formatInstance, readInstance } from "./instance-value.ts";

test.each<[string, string, Endpoint | undefined]>([
	[
		"Kitex's",
		'{"network":"tcp","address":"10.0.0.1:8888","weight":20,"tags":{"cluster":"a","zone":"eu-1"}}',
		{
			address: "10.0.0.1:8888",
			weight: 20,
			zone: "eu-1",
			attributes: { cluster: "a" },
		},
	],
	[
		"Kitex's without tags",
		'{"network":"tcp","address":"10.0.0.1:8888","weight":10,"tags":null}',
		{ address: "10.0.0.1:8888", weight: 10 },
	],
	[
		"Kitex's with an IPv6 address, which has no brackets",
		'{"network":"tcp","address":"fd00::1:8888","weight":10}',
		{ address: "[fd00::1]:8888", weight: 10 },
	],
	[
		"one with an IPv6 address in brackets",
		'{"address":"[fd00::1]:8888"}',
		{ address: "[fd00::1]:8888", weight: 10 },
	],
	[
		"one of a unix socket",
		'{"network":"unix","address":"/run/x.sock","weight":1}',
		{ address: "unix:/run/x.sock", weight: 1 },
	],
	["weight 0", '{"address":"10.0.0.1:1","weight":0}', undefined],
	["a weight below 0", '{"address":"10.0.0.1:1","weight":-1}', undefined],
	[
		"etcd's naming package",
		'{"Op":0,"Addr":"10.0.0.1:8888","Metadata":{"zone":"b","version":"2","n":1}}',
		{
			address: "10.0.0.1:8888",
			weight: 10,
			zone: "b",
			attributes: { version: "2" },
		},
	],
	[
		"etcd's naming package without metadata",
		'{"Op":0,"Addr":"payment.local:8888","Metadata":null}',
		{ address: "payment.local:8888", weight: 10 },
	],
	["a bare address", "10.0.0.1:8888", { address: "10.0.0.1:8888", weight: 10 }],
	[
		"a bare one of IPv6",
		" [::1]:8888\n",
		{ address: "[::1]:8888", weight: 10 },
	],
])("%s is read", (_, value, endpoint) => {
	expect(readInstance(value, "k")).toEqual(endpoint);
});

test.each<[string, string]>([
	["", "k: has no address"],
	["hello", "k: has no port"],
	["{", 'k: "{" is not JSON'],
	["{}", "k: has no address"],
	['{"address":7}', "k: its address 7 is not a string"],
	['{"address":"10.0.0.1"}', "k: has no port"],
	['{"address":":8888"}', 'k: its address ":8888" has no host'],
	['{"address":"10.0.0.1:99999"}', 'k: port "99999" is not a number'],
	['{"address":"a b:1"}', "k: "],
	[
		'{"address":"10.0.0.1:1","weight":"10"}',
		'k: its weight "10" is not a number',
	],
	['{"address":"10.0.0.1:1","weight":1e999}', "k: its weight Infinity"],
	['{"address":"10.0.0.1:1","network":"udp"}', 'k: its network "udp"'],
	['{"Addr":null}', "k: its address null is not a string"],
	["[]", "k: "],
	["\u0000\ufffd", "k: "],
])("%j is refused: %s", (value, message) => {
	expect(() => readInstance(value, "k")).toThrow(message);
});

test("an instance is written in Kitex's format, and can be read again", () => {
	const fields = {
		address: "[::1]:8888",
		weight: 3,
		zone: "b",
		attributes: { version: "2" },
	};
	const value = formatInstance(fields);
	expect(JSON.parse(value)).toEqual({
		network: "tcp",
		address: "[::1]:8888",
		weight: 3,
		tags: { version: "2", zone: "b" },
	});
	expect(readInstance(value, "k")).toEqual(fields);
});
