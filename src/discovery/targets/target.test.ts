import { describe, expect, test } from "vitest";
import { OptionError } from "../../checks/option-error.ts";
import { parseTarget } from "./target.ts";
import type { EndpointSource } from "./target-facts.ts";

interface Expected {
	source: EndpointSource;
	authority: string;
	serverName?: string;
	tls?: boolean;
}

const dns = (host: string, port: number, server?: string): EndpointSource => ({
	kind: "dns",
	host,
	port,
	...(server === undefined ? {} : { server }),
});
const fixed = (...addresses: string[]): EndpointSource => ({
	kind: "static",
	addresses,
});

const table: Record<string, Expected> = {
	"localhost:50051": {
		source: dns("localhost", 50051),
		authority: "localhost:50051",
		serverName: "localhost",
	},
	"payment.prod": {
		source: dns("payment.prod", 443),
		authority: "payment.prod",
		tls: true,
	},
	"payment:443": {
		source: dns("payment", 443),
		authority: "payment",
		tls: true,
	},
	"payment:80": { source: dns("payment", 80), authority: "payment" },
	"consul:8500": {
		source: dns("consul", 8500),
		authority: "consul:8500",
		serverName: "consul",
	},
	"[::1]:50051": {
		source: dns("::1", 50051),
		authority: "[::1]:50051",
		serverName: "::1",
	},
	"10.0.0.1:50051": {
		source: dns("10.0.0.1", 50051),
		authority: "10.0.0.1:50051",
		serverName: "10.0.0.1",
	},
	"dns:payment:50051": {
		source: dns("payment", 50051),
		authority: "payment:50051",
		serverName: "payment",
	},
	"DNS:///payment:50051": {
		source: dns("payment", 50051),
		authority: "payment:50051",
		serverName: "payment",
	},
	"dns:///payment.": {
		source: dns("payment.", 443),
		authority: "payment",
		tls: true,
	},
	"dns:///[fe80::1%eth0]:50051": {
		source: dns("fe80::1%eth0", 50051),
		authority: "[fe80::1]:50051",
		serverName: "fe80::1",
	},
	"dns:///[fe80::1%25eth0]:443": {
		source: dns("fe80::1%eth0", 443),
		authority: "[fe80::1]",
		serverName: "fe80::1",
		tls: true,
	},
	"dns://8.8.8.8/payment:50051": {
		source: dns("payment", 50051, "8.8.8.8:53"),
		authority: "payment:50051",
		serverName: "payment",
	},
	"dns://[::1]:5353/payment": {
		source: dns("payment", 443, "[::1]:5353"),
		authority: "payment",
		tls: true,
	},
	"srv:///_grpc._tcp.payment.prod": {
		source: { kind: "srv", name: "_grpc._tcp.payment.prod" },
		authority: "payment.prod",
	},
	"srv://127.0.0.1:8600/payment.service.consul": {
		source: {
			kind: "srv",
			name: "payment.service.consul",
			server: "127.0.0.1:8600",
		},
		authority: "payment.service.consul",
	},
	"ipv4:10.0.0.1": {
		source: fixed("10.0.0.1:443"),
		authority: "10.0.0.1",
		tls: true,
	},
	"ipv4:10.0.0.1:50051,10.0.0.2:50051": {
		source: fixed("10.0.0.1:50051", "10.0.0.2:50051"),
		authority: "10.0.0.1:50051",
		serverName: "10.0.0.1",
	},
	"ipv4:///10.0.0.1:443,10.0.0.2:50051": {
		source: fixed("10.0.0.1:443", "10.0.0.2:50051"),
		authority: "10.0.0.1",
	},
	"ipv6:[::1]:50051,[::2]:50051": {
		source: fixed("[::1]:50051", "[::2]:50051"),
		authority: "[::1]:50051",
		serverName: "::1",
	},
	"unix:run/x.sock": {
		source: fixed("unix:run/x.sock"),
		authority: "localhost",
	},
	"unix:/run/x.sock": {
		source: fixed("unix:/run/x.sock"),
		authority: "localhost",
	},
	"unix:///run/x%20y.sock": {
		source: fixed("unix:/run/x y.sock"),
		authority: "localhost",
	},
	"unix-abstract:x%00y": {
		source: fixed("unix-abstract:x\0y"),
		authority: "localhost",
	},
	"http://payment": { source: fixed("payment:80"), authority: "payment" },
	"http://payment:443/": {
		source: fixed("payment:443"),
		authority: "payment:443",
		serverName: "payment",
	},
	"https://payment": {
		source: fixed("payment:443"),
		authority: "payment",
		tls: true,
	},
	"https://[::1]:50051": {
		source: fixed("[::1]:50051"),
		authority: "[::1]:50051",
		serverName: "::1",
		tls: true,
	},
	"file:///etc/payment.v1.json": {
		source: { kind: "file", path: "/etc/payment.v1.json" },
		authority: "payment.v1",
	},
	"file:///C:/my%20endpoints.json": {
		source: { kind: "file", path: "C:/my endpoints.json" },
		authority: "localhost",
	},
	"memory:///payment": {
		source: { kind: "memory", name: "payment" },
		authority: "payment",
	},
	"memory:///a%2Fb%3F": {
		source: { kind: "memory", name: "a/b?" },
		authority: "localhost",
	},
	"consul:///payment": {
		source: { kind: "consul", service: "payment" },
		authority: "payment",
	},
	"consul://127.0.0.1:8501/payment?dc=eu&filter=Service.Tags%20contains%20%22a%22&stale":
		{
			source: {
				kind: "consul",
				service: "payment",
				agent: "127.0.0.1:8501",
				datacenter: "eu",
				filter: 'Service.Tags contains "a"',
				consistency: "stale",
			},
			authority: "payment",
		},
	"consul:///payment?consistent=true&near=_agent&ns=team&token=t&config=a/b": {
		source: {
			kind: "consul",
			service: "payment",
			consistency: "consistent",
			near: "_agent",
			namespace: "team",
			token: "t",
			config: "a/b",
		},
		authority: "payment",
	},
	"consul://agent/payment": {
		source: { kind: "consul", service: "payment", agent: "agent:8500" },
		authority: "payment",
	},
	"etcd:///services/payment/": {
		source: { kind: "etcd", hosts: [], prefix: "services/payment" },
		authority: "payment",
	},
	"etcd://a,b:2381,[::1]/payment?config=x": {
		source: {
			kind: "etcd",
			hosts: ["a:2379", "b:2381", "[::1]:2379"],
			prefix: "payment",
			config: "x",
		},
		authority: "payment",
	},
	"kubernetes:///payment.prod:50051": {
		source: {
			kind: "kubernetes",
			service: "payment",
			namespace: "prod",
			port: 50051,
		},
		authority: "payment.prod",
	},
	"kubernetes:///payment.prod:443": {
		source: {
			kind: "kubernetes",
			service: "payment",
			namespace: "prod",
			port: 443,
		},
		authority: "payment.prod",
		tls: true,
	},
	"kubernetes://localhost:8001/payment:grpc": {
		source: {
			kind: "kubernetes",
			service: "payment",
			port: "grpc",
			apiServer: "localhost:8001",
		},
		authority: "payment",
	},
	"kubernetes:///payment": {
		source: { kind: "kubernetes", service: "payment" },
		authority: "payment",
	},
};

describe("what a target means", () => {
	test.each(Object.entries(table))("%s", (text, expected) => {
		const target = parseTarget(text);
		expect(target.source).toEqual(expected.source);
		expect(target.defaultAuthority).toBe(expected.authority);
		expect(target.serverName).toBe(expected.serverName ?? expected.authority);
		expect(target.tls).toBe(expected.tls ?? false);
		expect(target.parsed.text).toBe(text);
	});
});

test("a target is split into its parts for its resolver", () => {
	const { parsed } = parseTarget(
		"consul://agent:8500/pay%20ment?dc=eu&filter=a+b%2Bc",
	);
	expect(parsed).toMatchObject({
		scheme: "consul",
		authority: "agent:8500",
		path: "pay ment",
	});
	expect([...parsed.parameters]).toEqual([
		["dc", "eu"],
		["filter", "a b+c"],
	]);
	expect(parseTarget("localhost:1").parsed).toMatchObject({
		scheme: "dns",
		authority: "",
		path: "localhost:1",
	});
	expect(parseTarget("unix:///run/x").parsed.path).toBe("/run/x");
});

describe("a bad target says what is wrong and what to write", () => {
	test.each<[string, string]>([
		["", 'is not a target; write one as in "localhost:50051"'],
		["local host:1", "has white space or a control character in it"],
		["localhost:1\n", "has white space or a control character in it"],
		["foo:bar", 'port "bar" is not a number from 1 to 65535'],
		["localhost:", "has no port; add one, as in localhost:50051"],
		[":50051", "names no host"],
		["localhost:70000", 'port "70000" is not a number'],
		["localhost:50051/v1", 'is host:port followed by "/v1"; leave that out'],
		["localhost:50051?x=1", 'is host:port followed by "?x=1"'],
		["a:1,b:1", "has a comma; write several addresses as in ipv4:10.0.0.1"],
		["::1:50051", "an IPv6 address goes in brackets, as in [::1]:50051"],
		["nacos://a/b", '"nacos" is not a scheme; the schemes are dns, srv,'],
		["kubernets:///a", '"kubernets" is not a scheme; did you mean kubernetes?'],
		["htp://a:1", '"htp" is not a scheme; did you mean http?'],
		["dns:50051", '"50051" is not the name or the address of a host'],
		["dns:///", "names nothing to resolve; write it as in dns:///host:port"],
		["dns:", "names nothing to resolve"],
		[
			"dns://localhost:50051",
			'has "localhost:50051" in the place of a server, and no name after it; write dns:///localhost:50051, with three slashes',
		],
		["dns://ns.example/a:1", '"ns.example" is not an IP address'],
		["dns:///a:1?x=1", 'has a parameter "x"; dns: has none'],
		["dns:///a:1#x", 'has a "#"; write %23'],
		["srv:///_grpc._tcp.a:1", "has a port; SRV records hold the ports"],
		["srv://_grpc._tcp.a", "write srv:///_grpc._tcp.a, with three slashes"],
		["srv:_grpc._tcp.a", "lacks the slashes of srv:; write it as in srv:///"],
		["ipv4:payment:1", '"payment:1" is not an IPv4 address'],
		["ipv4:[::1]:1", '"[::1]:1" is not an IPv4 address'],
		["ipv4:10.0.0.1:1,", "names no host"],
		["ipv4:", "names no host"],
		["ipv4://10.0.0.1:1", 'has "10.0.0.1:1" after two slashes, but ipv4:'],
		["ipv6:10.0.0.1:1", '"10.0.0.1:1" is not an IPv6 address'],
		["ipv6:::1", "an IPv6 address goes in brackets"],
		["unix:", "names no socket; write one, as in unix:/run/x.sock"],
		[
			"unix://x.sock",
			'has "x.sock" after two slashes, but unix: names no server',
		],
		["unix:a?b", 'has a parameter "b"; unix: has none; write %3F'],
		["unix:a%00b", "has a NUL in its path"],
		[
			"unix:%zz",
			'has a "%" that does not begin an encoded UTF-8 character; write %25',
		],
		["unix-abstract:", "names no socket"],
		["http://", "names no host"],
		["http:localhost:1", "lacks the slashes of http:"],
		["http://a:1/v1", 'has a path, "/v1"; the paths of gRPC are its methods'],
		["https://a:b", 'port "b" is not a number'],
		["file:///", "names no file; write one, as in file:///etc/endpoints.json"],
		["file:///etc/", "names no file"],
		["file://endpoints.json", 'has "endpoints.json" after two slashes'],
		["file:endpoints.json", "lacks the slashes of file:"],
		["memory:///", "names nothing to resolve"],
		["memory://payment", 'has "payment" after two slashes'],
		["consul://payment", "write consul:///payment, with three slashes"],
		[
			"consul:///",
			"names nothing to resolve; write it as in consul://agent:8500",
		],
		["consul:///a/b", '"a/b" is not the name of a service'],
		[
			"consul:///a?datacenter=x",
			'has a parameter "datacenter"; the parameters of',
		],
		["consul:///a?Filter=x", 'has a parameter "Filter"; did you mean filter?'],
		["consul:///a?dc=x&dc=y", "gives dc twice; remove one"],
		["consul:///a?stale&consistent", "is both stale and consistent"],
		["consul:///a?stale=false", "has stale=false; write stale alone"],
		["consul:///a?filter=", "has no value after filter="],
		["consul://a,b/c", '"a,b" is not the name or the address of a host'],
		["etcd:///", "names nothing to resolve"],
		["etcd://a,,b/c", "names no host"],
		["etcd:///a?conf=x", "the parameters of etcd: are config"],
		["etcd:///a?config=", "has no key after config="],
		["kubernetes:///a.b.svc:1", '"a.b.svc:1" is not service.namespace:port'],
		["kubernetes:///A", '"A" is not service.namespace:port'],
		["kubernetes:///a:0", 'port "0" is not a number'],
		["kubernetes://payment.prod:1", "write kubernetes:///payment.prod:1, with"],
	])("%j: %s", (text, problem) => {
		expect(() => parseTarget(text)).toThrow(OptionError);
		expect(() => parseTarget(text)).toThrow(problem);
		expect(() => parseTarget(text)).toThrow(`target ${JSON.stringify(text)}: `);
	});

	test("a value that is not a string is refused", () => {
		expect(() => parseTarget(undefined as unknown as string)).toThrow(
			"target undefined: is not a target",
		);
	});

	test.each([
		"http://user:secret@a:1/x",
		"user:secret@a:1",
		"consul:///a?token=secret&dcc=x",
	])("the secret in %s is not shown", (text) => {
		expect(() => parseTarget(text)).toThrow(/^target (?!.*secret)/);
	});

	test.each(["http://user@a:1", "user@a:1", "dns://user@8.8.8.8/a:1"])(
		"%s has credentials in the wrong place",
		(text) => {
			expect(() => parseTarget(text)).toThrow(
				'has an "@"; credentials are an option of the channel',
			);
		},
	);

	test("the error's kind distinguishes an unknown scheme from an invalid target", () => {
		const kind = (text: string): unknown => {
			try {
				return parseTarget(text);
			} catch (error) {
				return (error as OptionError).kind;
			}
		};
		expect(kind("nacos:///a")).toBe("unknown");
		expect(kind("dns:///")).toBe("invalid");
	});
});

describe("further schemes", () => {
	test("are split into their parts, and any parameter is allowed", () => {
		const target = parseTarget("nacos://a:1,b:1/group/payment?x=1", ["nacos"]);
		expect(target).toMatchObject({
			source: undefined,
			defaultAuthority: "payment",
			serverName: "payment",
			tls: false,
		});
		expect(target.parsed).toMatchObject({
			scheme: "nacos",
			authority: "a:1,b:1",
			path: "group/payment",
		});
		expect(target.parsed.parameters.get("x")).toBe("1");
	});

	test("take precedence over homing's own, in upper or lower case", () => {
		expect(parseTarget("consul:///a/b", ["Consul"]).source).toBeUndefined();
	});

	test("apply only to targets with two slashes", () => {
		expect(parseTarget("nacos:8848", ["nacos"]).source).toEqual(
			dns("nacos", 8848),
		);
	});

	test("are listed when a scheme is unknown", () => {
		expect(() => parseTarget("eureka://a", ["nacos"])).toThrow(
			/kubernetes, nacos$/,
		);
	});
});
