import { describe, expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import type { Resolver } from "../../discovery/resolver.ts";
import { staticResolver } from "../../discovery/static.ts";
import type { ParsedTarget } from "../../discovery/targets/parsed-target.ts";
import type { ChannelOptions } from "../options/channel-options.ts";
import { type ChannelSetting, settleChannel } from "./channel-setting.ts";

const environment = { clock: new FakeClock(), random: () => 0 };

function settle(
	target: string | Resolver,
	options: ChannelOptions = {},
): ChannelSetting {
	return settleChannel(target, options, environment);
}

describe("by default", () => {
	test("a channel is plaintext, and idle after 30 min", () => {
		expect(settle("localhost:50051")).toMatchObject({
			name: "localhost:50051",
			scheme: "http",
			authority: "localhost:50051",
			idleTimeoutMs: 1_800_000,
			keepalive: undefined,
			maxConnectionsPerEndpoint: 4,
			compression: undefined,
			credentials: undefined,
			serviceConfig: undefined,
			hooks: {},
		});
	});

	test.each<[ChannelOptions, number]>([
		[{}, 5000],
		[{ connectTimeout: "0.5s" }, 500],
	])("%o gives a connection %d ms", async (options, ms) => {
		const clock = new FakeClock();
		const { connect } = settleChannel("h:1", options, {
			clock,
			random: () => 0,
			connect: (_address, _listener, signal) =>
				new Promise((_resolve, reject) => {
					signal.addEventListener("abort", () => reject(signal.reason));
				}),
		});
		let failure: Error | undefined;
		connect(
			{ kind: "tcp", host: "h", port: 1 },
			{
				accepted: () => {},
				room: () => {},
				goaway: () => {},
				closed: () => {},
			},
			new AbortController().signal,
		).catch((error) => {
			failure = error;
		});
		await clock.advance(ms - 1);
		expect(failure).toBeUndefined();
		await clock.advance(1);
		expect(failure?.message).toMatch(/^connect timeout: .* h:1 to accept/);
		expect(clock.pending).toBe(0);
	});

	test("it says who it is", () => {
		expect(settle("h:1").userAgent).toMatch(/^homing\/\d+\.\d+\.\d+$/);
		expect(settle("h:1", { userAgent: "shop/2.0" }).userAgent).toMatch(
			/^shop\/2\.0 homing\/\d/,
		);
	});
});

describe("TLS", () => {
	test.each<[string, ChannelOptions, string]>([
		["h:50051", {}, "http"],
		["h:443", {}, "https"],
		["https://h:50051", {}, "https"],
		["http://h:50051", {}, "http"],
		["h:50051", { tls: true }, "https"],
		["h:50051", { tls: {} }, "https"],
		["h:50051", { tls: () => ({}) }, "https"],
		["h:443", { tls: false }, "http"],
		["unix:/run/x.sock", { tls: true }, "https"],
	])("%s with %o is %s", (target, options, scheme) => {
		expect(settle(target, options).scheme).toBe(scheme);
	});

	test("a Resolver is plaintext unless the option says otherwise", () => {
		const resolver = staticResolver(["h:443"]);
		expect(settle(resolver).scheme).toBe("http");
		expect(settle(resolver, { tls: true }).scheme).toBe("https");
	});
});

describe("the authority", () => {
	test.each([
		["h:50051", "h:50051"],
		["dns:///h.example:50051", "h.example:50051"],
		["https://h.example", "h.example"],
		["unix:/run/x.sock", "localhost"],
		["memory:///payment", "payment"],
	])("of %s is %s", (target, authority) => {
		expect(settle(target).authority).toBe(authority);
	});

	test("is what the option says", () => {
		expect(settle("h:1", { authority: "shop.example" }).authority).toBe(
			"shop.example",
		);
	});

	test("and the name that errors have hold no secrets", () => {
		const { authority, name } = settle("consul:///payment?token=secret&dc=eu");
		expect(authority).toBe("payment");
		expect(name).toBe("consul:///payment?token=…&dc=eu");
	});

	test("of a Resolver is localhost", () => {
		const setting = settle(staticResolver(["10.0.0.1:1"]));
		expect(setting.authority).toBe("localhost");
		expect(setting.name).toBe("the resolver");
	});
});

describe("resolvers of one's own", () => {
	const resolver = staticResolver(["h:1"]);

	test("get their targets, taken apart", () => {
		const seen: ParsedTarget[] = [];
		const setting = settle("Nacos://server:8848/group/payment?zone=b", {
			resolvers: {
				nacos: (target) => {
					seen.push(target);
					return resolver;
				},
			},
		});
		expect(setting.resolver).toBe(resolver);
		expect(seen).toHaveLength(1);
		expect(seen[0]).toMatchObject({
			scheme: "nacos",
			authority: "server:8848",
			path: "group/payment",
			text: "Nacos://server:8848/group/payment?zone=b",
		});
		expect(seen[0]?.parameters.get("zone")).toBe("b");
	});

	test("are found whatever the case of their scheme", () => {
		const options = { resolvers: { NACOS: () => resolver } };
		expect(settle("nacos:///payment", options).resolver).toBe(resolver);
	});

	test("that throw for a bad target are heard at construction", () => {
		const options = {
			resolvers: {
				nacos: () => {
					throw new TypeError("no group in it");
				},
			},
		};
		expect(() => settle("nacos:///payment", options)).toThrow("no group in it");
	});

	test("that make no Resolver are refused, naming them", () => {
		const options = {
			resolvers: { nacos: () => ({}) as Resolver },
		};
		expect(() => settle("nacos:///payment", options)).toThrow(
			'resolvers.nacos: made an object of "nacos:///payment", which is no Resolver',
		);
	});
});

describe("a bad target is refused at construction, naming what is wrong:", () => {
	test.each<[unknown, string]>([
		["", "target"],
		["h:0", "target"],
		["h:99999", "target"],
		["nacos://x/y", "nacos"],
		["ftp://h:21", "ftp"],
		["ipv4:not-an-address:1", "target"],
		["consul://x", "target"],
		["memory://payment", "write it as in memory:///name"],
		[undefined, "target: undefined is neither a target"],
		[null, "target: null is neither a target"],
		[5, "target: 5 is neither a target"],
		[{}, "target: an object is neither a target"],
		[{ watch: 1 }, "neither a target"],
	])("%j", (target, message) => {
		expect(() => settle(target as string)).toThrow(TypeError);
		expect(() => settle(target as string)).toThrow(message);
	});
});

describe("a bad option is refused at construction, naming it:", () => {
	const text = "5 s" as unknown as number;
	test.each<[unknown, string]>([
		[{ tsl: true }, "tsl: is not an option; did you mean tls?"],
		[{ timeout: 5 }, "timeout: is not an option"],
		[{ tls: "yes" }, "tls: "],
		[{ tls: { cert: 5 } }, "tls.cert: 5 is not PEM text or bytes"],
		[{ tls: { certificate: "" } }, "tls.certificate: is not an option"],
		[{ tls: { rejectUnauthorized: "no" } }, "tls.rejectUnauthorized: "],
		[{ tls: { cert: "" } }, "tls.key: is missing beside tls.cert"],
		[{ tls: { key: "" } }, "tls.cert: is missing beside tls.key"],
		[{ authority: "" }, "authority: "],
		[{ authority: "a\nb" }, "authority: "],
		[{ authority: "shop.example/x" }, "authority: "],
		[{ credentials: "token" }, "credentials: "],
		[{ insecureCredentials: 1 }, "insecureCredentials: "],
		[{ serviceConfig: "{}" }, "serviceConfig: "],
		[
			{ serviceConfig: { methodConfig: [{ name: [{}], timeout: text }] } },
			"serviceConfig.methodConfig[0].timeout: ",
		],
		[
			{ serviceConfig: { loadBalancingConfig: [{ unheard_of: {} }] } },
			"serviceConfig.loadBalancingConfig: names unheard_of",
		],
		[
			{ balancer: "grpclb" },
			'balancer: "grpclb" is no balancer; give one of pick_first, round_robin, least_request, ring_hash, or a function that makes one',
		],
		[{ balancer: {} }, "balancer: "],
		[{ connectTimeout: text }, "connectTimeout: "],
		[{ connectTimeout: 0 }, "connectTimeout: 0 is not more than 0"],
		[{ connectTimeout: -1 }, "connectTimeout: "],
		[{ idleTimeout: "0s" }, "idleTimeout: "],
		[{ idleTimeout: "1m" }, "idleTimeout: "],
		[{ compression: "br" }, "compression: "],
		[{ hooks: { callStarted: () => {} } }, "hooks.callStarted: "],
		[{ hooks: { callStart: 5 } }, "hooks.callStart: "],
		[
			{ outlierDetection: { interval: 0 } },
			"outlierDetection.interval: 0 is not more than 0",
		],
		[{ outlierDetection: true }, "outlierDetection: true is not an object"],
		[
			{ circuitBreaker: { failureRatio: 50 } },
			"circuitBreaker.failureRatio: 50 is no ratio",
		],
		[{ maxConcurrentCalls: 0 }, "maxConcurrentCalls: 0 is not a whole number"],
		[{ maxQueuedCalls: -1 }, "maxQueuedCalls: -1 is not a whole number"],
		[{ userAgent: "a\u2603" }, "userAgent: "],
		[{ resolvers: { nacos: {} } }, "resolvers.nacos: "],
		[{ connectBackoff: 5 }, "connectBackoff: 5 is not an object"],
		[
			{ connectBackoff: { initial: 0 } },
			"connectBackoff.initial: 0 is not more than 0",
		],
		[
			{ connectBackoff: { multiplier: 0.5 } },
			"connectBackoff.multiplier: 0.5 is not a number of 1 or more",
		],
		[{ connectBackoff: { multiplier: Infinity } }, "connectBackoff.multiplier"],
		[{ connectBackoff: { max: "1m" } }, "connectBackoff.max: "],
		[
			{ connectBackoff: { initial: "2s", max: "1s" } },
			'connectBackoff.initial: "2s" is longer than connectBackoff.max, "1s"',
		],
		[
			{ connectBackoff: { maximum: "1s" } },
			"connectBackoff.maximum: is not an option",
		],
		[{ keepalive: true }, "keepalive: "],
		[{ keepalive: {} }, "keepalive.time: is missing"],
		[{ keepalive: { time: 0 } }, "keepalive.time: "],
		[{ keepalive: { time: 1, timeout: "1m" } }, "keepalive.timeout: "],
		[
			{ keepalive: { time: 1, without_calls: true } },
			"keepalive.without_calls: is not an option; did you mean withoutCalls?",
		],
		[{ keepalive: { time: 1, withoutCalls: 1 } }, "keepalive.withoutCalls: "],
		[{ maxConnectionsPerEndpoint: 0 }, "maxConnectionsPerEndpoint: 0 is not"],
		[{ maxInflations: 0 }, "maxInflations: 0 is not"],
		[{ maxInflatingBytes: 0 }, "maxInflatingBytes: 0 is not"],
		[{ maxConnectionsPerEndpoint: 1.5 }, "maxConnectionsPerEndpoint: "],
		[{ localZone: {} }, "localZone: an object is not a string"],
	])("%j", (options, message) => {
		expect(() => settle("h:1", options as ChannelOptions)).toThrow(TypeError);
		expect(() => settle("h:1", options as ChannelOptions)).toThrow(message);
	});

	test("an option that is undefined is absent", () => {
		expect(() =>
			settle("h:1", { tls: undefined, keepalive: undefined }),
		).not.toThrow();
	});
});

describe("connectBackoff", () => {
	test.each<[ChannelOptions["connectBackoff"], number, number, number]>([
		[undefined, 1000, 1.6, 15_000],
		[{}, 1000, 1.6, 15_000],
		[{ initial: "0.1s", multiplier: 1, max: 200 }, 100, 1, 200],
		[{ initial: "60s" }, 60_000, 1.6, 60_000],
		[{ max: "0.5s" }, 500, 1.6, 500],
	])("%j", (connectBackoff, initialMs, multiplier, maxMs) => {
		expect(settle("h:1", { connectBackoff }).connectBackoff).toEqual({
			initialMs,
			multiplier,
			maxMs,
		});
	});
});

describe("credentials", () => {
	const credentials = () => ({ authorization: "Bearer x" });

	test("are refused over plaintext, unless that is called safe", () => {
		expect(() => settle("h:1", { credentials })).toThrow(
			"credentials: would travel over plaintext",
		);
		expect(() =>
			settle("h:1", { credentials, insecureCredentials: false }),
		).toThrow("credentials: ");
		const safe = settle("h:1", { credentials, insecureCredentials: true });
		expect(safe.credentials).toBe(credentials);
	});

	test("go with TLS, wherever that is asked for", () => {
		expect(settle("h:1", { credentials, tls: true }).scheme).toBe("https");
		expect(settle("https://h:1", { credentials }).scheme).toBe("https");
		expect(settle("h:443", { credentials }).scheme).toBe("https");
		expect(() => settle("h:443", { credentials, tls: false })).toThrow(
			"credentials: ",
		);
	});
});
