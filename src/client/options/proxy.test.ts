import { describe, expect, test } from "vitest";
import { parseTarget } from "../../discovery/targets/target.ts";
import { chooseProxy, proxyOption, type Variables } from "./proxy.ts";

/** The "host:port" of the proxy for a target. */
function proxyOf(
	target: string,
	variables: Variables,
	option?: string | false,
): string | undefined {
	const proxy = chooseProxy(option, parseTarget(target).source, variables);
	return proxy && `${proxy.host}:${proxy.port}`;
}

const http_proxy = "http://proxy.example:3128";

describe("the proxy of the environment", () => {
	test.each([
		"shop.example:50051",
		"shop.example",
		"dns:///shop.example:50051",
		"dns://10.0.0.53/shop.example:50051",
		"http://shop.example:8080",
		"https://shop.example",
		"localhost.example:50051",
	])("is used for %s", (target) => {
		expect(proxyOf(target, { http_proxy })).toBe("proxy.example:3128");
	});

	test.each([
		"10.0.0.1:50051",
		"[2001:db8::1]:50051",
		"dns:///10.0.0.1:50051",
		"http://10.0.0.1:50051",
		"https://[2001:db8::1]",
		"ipv4:10.0.0.1:50051",
		"ipv4:10.0.0.1:50051,10.0.0.2:50051",
		"ipv6:[2001:db8::1]:50051",
		"127.0.0.1:50051",
		"localhost:50051",
		"LOCALHOST.:50051",
		"shop.localhost:50051",
		"http://localhost:50051",
		"unix:///run/x.sock",
		"unix-abstract:x",
		"srv:///_grpc._tcp.shop.example",
		"file:///etc/endpoints.json",
		"memory:///payment",
		"consul://agent.example:8500/payment",
		"etcd://etcd.example:2379/payment",
		"kubernetes:///payment.default:50051",
	])("is not used for %s", (target) => {
		expect(proxyOf(target, { http_proxy })).toBeUndefined();
	});

	test("comes from grpc_proxy, else https_proxy, else http_proxy, in lower case", () => {
		const target = "https://shop.example";
		const all = {
			grpc_proxy: "http://a:1",
			https_proxy: "http://b:2",
			http_proxy: "http://c:3",
		};
		expect(proxyOf(target, all)).toBe("a:1");
		expect(proxyOf(target, { ...all, grpc_proxy: "" })).toBe("b:2");
		expect(proxyOf("http://shop.example", { ...all, grpc_proxy: "" })).toBe(
			"b:2",
		);
		expect(proxyOf(target, { http_proxy: all.http_proxy })).toBe("c:3");
		expect(proxyOf(target, { HTTPS_PROXY: "http://d:4" })).toBeUndefined();
		expect(proxyOf(target, {})).toBeUndefined();
	});

	test.each<[string, boolean]>([
		["shop.example", true],
		["example", true],
		[".example", true],
		["*.example", true],
		["SHOP.Example", true],
		["shop.example.", true],
		["other.example, shop.example", true],
		["*", true],
		["shop.example:50051", true],
		["shop.example:50052", false],
		[".shop.example", false],
		["op.example", false],
		["shop", false],
		["10.0.0.0/8", false],
		["::1", false],
		[",", false],
		["", false],
	])("with the exception %j excludes shop.example: %s", (no_proxy, out) => {
		const target = "shop.example:50051";
		const expected = out ? undefined : "proxy.example:3128";
		expect(proxyOf(target, { http_proxy, no_proxy })).toBe(expected);
		expect(proxyOf(target, { http_proxy, no_grpc_proxy: no_proxy })).toBe(
			expected,
		);
	});

	test("takes its exceptions from no_grpc_proxy, else from no_proxy", () => {
		const target = "shop.example:50051";
		const no_grpc_proxy = "other.example";
		const no_proxy = "shop.example";
		expect(proxyOf(target, { http_proxy, no_grpc_proxy, no_proxy })).toBe(
			"proxy.example:3128",
		);
		expect(
			proxyOf(target, { http_proxy, no_grpc_proxy: "", no_proxy }),
		).toBeUndefined();
	});

	test.each<[string, string]>([
		["proxy:3128", "proxy:3128"],
		["http://proxy", "proxy:80"],
		["http://10.0.0.7:8080/", "10.0.0.7:8080"],
		["http://[::1]:8080", "::1:8080"],
		["user:secret@proxy:3128", "proxy:3128"],
	])("can be written as %s", (http_proxy, at) => {
		expect(proxyOf("shop.example:1", { http_proxy })).toBe(at);
	});

	test.each<[string, string]>([
		["http://", "is not the URL of a proxy"],
		["no url", "is not the URL of a proxy"],
		["http://proxy:99999", "is not the URL of a proxy"],
		["https://proxy:3128", "has the scheme https: where only http: is spoken"],
		["socks5://proxy:1080", "has the scheme socks5:"],
		["http://proxy:0", "has no port that can be reached"],
		["http://us%ffer@proxy", "has a % in its user or password"],
	])(
		"is refused if it is %j, with the name of the variable in the error",
		(url, words) => {
			for (const name of ["grpc_proxy", "https_proxy", "http_proxy"]) {
				expect(() => proxyOf("shop.example:1", { [name]: url })).toThrow(
					new RegExp(`^${name}: .*${words}`),
				);
			}
			// A bad proxy does not matter to targets that do not use it.
			expect(proxyOf("localhost:1", { http_proxy: url })).toBeUndefined();
		},
	);

	test("is refused with an error that does not show the password", () => {
		for (const http_proxy of [
			"https://user:secret@proxy",
			"user:secret@pro xy",
		])
			expect(() => proxyOf("shop.example:1", { http_proxy })).toThrow(
				/^http_proxy: "(https:\/\/)?…@pro/,
			);
	});

	test("gets the decoded user and password, as RFC 7617 defines", () => {
		const { source } = parseTarget("shop.example:1");
		const authorized = (http_proxy: string): string | undefined =>
			chooseProxy(undefined, source, { http_proxy })?.authorization;
		expect(authorized("http://ada:p%40ss%C3%A9@proxy")).toBe(
			`Basic ${Buffer.from("ada:p@ssé").toString("base64")}`,
		);
		expect(authorized("http://ada@proxy")).toBe(
			`Basic ${Buffer.from("ada:").toString("base64")}`,
		);
		expect(authorized("http://proxy")).toBeUndefined();
	});
});

describe("the option", () => {
	const all = { http_proxy, no_proxy: "*" };

	test.each([
		"shop.example:1",
		"10.0.0.1:1",
		"localhost:1",
		"consul:///payment",
	])("overrides the environment for %s", (target) => {
		expect(proxyOf(target, all, "http://other:8080")).toBe("other:8080");
		expect(proxyOf(target, { http_proxy }, false)).toBeUndefined();
	});

	test.each<[unknown, string]>([
		[true, "proxy: true is neither the URL of a proxy nor false"],
		["", "proxy: "],
		["ftp://x", 'proxy: "ftp://x" has the scheme ftp:'],
	])("%j is refused", (value, words) => {
		expect(() => proxyOption(value, "proxy")).toThrow(words);
	});
});
