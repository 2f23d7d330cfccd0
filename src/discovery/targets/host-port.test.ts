import { expect, test } from "vitest";
import { OptionError } from "../../checks/option-error.ts";
import {
	bracketed,
	formatHostPort,
	isIPv4,
	isIPv6,
	parseHostPort,
} from "./host-port.ts";

test.each<[string, string, number]>([
	["localhost:50051", "localhost", 50051],
	["payment:1", "payment", 1],
	["my_service-1.prod.example:65535", "my_service-1.prod.example", 65535],
	["example.com.:443", "example.com.", 443],
	["10.0.0.1:80", "10.0.0.1", 80],
	["[::1]:50051", "::1", 50051],
	["[0:0:0:0:0:0:0:1]:50051", "::1", 50051],
	["[2001:DB8::1]:1", "2001:db8::1", 1],
	["[fe80::1%eth0]:1", "fe80::1%eth0", 1],
	["[fe80::1%25eth0]:1", "fe80::1%eth0", 1],
	["bücher.example:1", "xn--bcher-kva.example", 1],
	["3com.com:1", "3com.com", 1],
])("%s is %s, %d", (text, host, port) => {
	expect(parseHostPort(text, "target")).toEqual({ host, port });
});

test("the default port applies to a text without a port", () => {
	expect(parseHostPort("payment", "t", 443).port).toBe(443);
	expect(parseHostPort("[::1]", "t", 443).port).toBe(443);
	expect(parseHostPort("payment:1", "t", 443).port).toBe(1);
	expect(() => parseHostPort("payment", "t")).toThrow(
		"t: has no port; add one, as in localhost:50051",
	);
	expect(() => parseHostPort("payment:", "t", 443)).toThrow("has no port");
});

test.each<[string, string]>([
	["", "names no host; write one, as in localhost:50051"],
	[":50051", "names no host"],
	["[]:50051", "names no host"],
	["a:0", 'port "0" is not a number from 1 to 65535'],
	["a:65536", 'port "65536" is not a number'],
	["a:http", 'port "http" is not a number'],
	["a:-1", 'port "-1" is not a number'],
	["a: 1", 'port " 1" is not a number'],
	["::1", "is ambiguous; an IPv6 address goes in brackets"],
	["fe80::1:50051", "is ambiguous; an IPv6 address goes in brackets"],
	["a:1,b:2", "is not host:port"],
	["[::1]x:1", "is not host:port"],
	["[::1", "is not host:port"],
	["[payment]:1", '"payment" is not an IPv6 address; only those go in'],
	["[10.0.0.1]:1", '"10.0.0.1" is not an IPv6 address'],
	["[::1::]:1", '"::1::" is not an IPv6 address'],
	["[::1%]:1", '"::1%" is not an IPv6 address'],
	["256.0.0.1:1", '"256.0.0.1" is not the name or the address of a host'],
	["10.0.1:1", '"10.0.1" is not the name or the address'],
	["50051:1", '"50051" is not the name or the address'],
	["user@host:1", '"user@host" is not the name'],
	["a b:1", '"a b" is not the name'],
	["a/b:1", '"a/b" is not the name'],
	["a..b:1", '"a..b" is not the name'],
	["-a:1", '"-a" is not the name'],
	[`${"x".repeat(64)}:1`, "is not the name"],
	["a%20b:1", '"a%20b" is not the name'],
])("%j is refused: %s", (text, problem) => {
	expect(() => parseHostPort(text, "t")).toThrow(OptionError);
	expect(() => parseHostPort(text, "t")).toThrow(problem);
});

test("an IPv6 host is in brackets only before a port", () => {
	expect(formatHostPort({ host: "::1", port: 1 })).toBe("[::1]:1");
	expect(formatHostPort({ host: "a", port: 1 })).toBe("a:1");
	expect(bracketed("fe80::1%eth0")).toBe("[fe80::1%eth0]");
});

test("IP addresses are distinguished from names", () => {
	expect(isIPv4("10.0.0.255")).toBe(true);
	expect(isIPv4("10.0.0.256")).toBe(false);
	expect(isIPv4("10.0.0.01")).toBe(false);
	expect(isIPv6("::1")).toBe(true);
	expect(isIPv6("a.example")).toBe(false);
});
