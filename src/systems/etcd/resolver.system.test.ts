import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { EtcdInit } from "../../../testdata/harness/etcd-member.ts";
import { EtcdProxy } from "../../../testdata/harness/etcd-proxy.ts";
import {
	EtcdServer,
	etcdMissing,
} from "../../../testdata/harness/etcd-server.ts";
import { ScriptedEtcd } from "../../../testdata/harness/scripted-etcd.ts";
import { TcpLine } from "../../../testdata/harness/tcp-line.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import { DiscoveryError } from "../discovery-error.ts";
import { type EtcdResolverOptions, etcdResolver } from "./resolver.ts";

const kitex = (address: string, more: object = {}): string =>
	JSON.stringify({ network: "tcp", address, weight: 10, tags: {}, ...more });

let names = 0;

/** Returns a prefix that no other test uses. */
function newPrefix(): string {
	names += 1;
	return `services/s${names}`;
}

test.each<[string, object, string]>([
	["no prefix", {}, "prefix: is missing"],
	["a prefix of slashes", { prefix: "//" }, "prefix: "],
	["an unknown key", { prefix: "a", host: "b" }, "did you mean hosts?"],
	["no hosts", { prefix: "a", hosts: [] }, "hosts: is empty"],
	["a bad host", { prefix: "a", hosts: ["a:b"] }, "hosts[0]: "],
	["an empty config", { prefix: "a", config: "" }, "config: "],
	["bad TLS", { prefix: "a", tls: { ca: 7 } }, "tls.ca: "],
	["a user alone", { prefix: "a", user: "u" }, "password: is missing beside"],
	["a password alone", { prefix: "a", password: "p" }, "user: is missing"],
	[
		"a password over plaintext",
		{ prefix: "a", user: "u", password: "p" },
		"password: would be sent over plaintext",
	],
])("%s throws at once", (_, options, message) => {
	expect(() => etcdResolver(options as EtcdResolverOptions)).toThrow(message);
});

test("an etcd that cannot be reached is reported as such", async () => {
	const hosts = ["127.0.0.1:1", "127.0.0.1:2"];
	const watching = new Watching(etcdResolver({ hosts, prefix: "a" }));
	const error = await watching.ended;
	expect(error).toBeInstanceOf(DiscoveryError);
	expect(error).toMatchObject({
		problem: "unreachable",
		message: expect.stringMatching(
			/^reading a\/: etcd at 127\.0\.0\.1:1, 127\.0\.0\.1:2 cannot be reached: connect ECONNREFUSED/,
		),
	});
});

test("a server that is not etcd is reported as such", async () => {
	await using other = await ScriptedEtcd.start({});
	const { hosts } = other;
	const watching = new Watching(etcdResolver({ hosts, prefix: "a" }));
	expect(await watching.ended).toMatchObject({
		problem: "badAnswer",
		message: expect.stringMatching(
			/^reading a\/: etcd at \S+ failed: .*etcdserverpb\.KV/,
		),
	});
});

describe.skipIf(etcdMissing)("of a real etcd", () => {
	let etcd: EtcdServer;
	beforeAll(async () => {
		etcd = await EtcdServer.start();
	});
	afterAll(() => etcd[Symbol.asyncDispose]());

	function watch(
		prefix: string,
		options: Partial<EtcdResolverOptions> = {},
	): Watching {
		const { hosts } = etcd;
		return new Watching(etcdResolver({ hosts, prefix, ...options }));
	}

	/** Resolves when these are the addresses, in any order. */
	async function shows(watching: Watching, ...addresses: string[]) {
		const wanted = addresses.sort().join();
		await watching.until(
			() => [...(watching.addresses ?? [])].sort().join() === wanted,
		);
	}

	test("yields the instances, and what is added and deleted", async () => {
		const prefix = newPrefix();
		await etcd.put(
			`${prefix}/a`,
			kitex("10.0.0.1:1", { weight: 3, tags: { zone: "z", v: "2" } }),
		);
		await etcd.put(`${prefix}/b`, "10.0.0.2:1");
		await etcd.put(`${prefix}/c`, '{"Op":0,"Addr":"10.0.0.3:1"}');
		await using watching = watch(prefix);
		await watching.until(() => watching.seen.length > 0);
		expect(watching.seen).toEqual([
			{
				endpoints: [
					{
						address: "10.0.0.1:1",
						weight: 3,
						zone: "z",
						attributes: { v: "2" },
					},
					{ address: "10.0.0.2:1", weight: 10 },
					{ address: "10.0.0.3:1", weight: 10 },
				],
			},
		]);
		await etcd.put(`${prefix}/d`, kitex("10.0.0.4:1"));
		await shows(
			watching,
			"10.0.0.1:1",
			"10.0.0.2:1",
			"10.0.0.3:1",
			"10.0.0.4:1",
		);
		await etcd.delete(`${prefix}/a`);
		await etcd.delete(`${prefix}/b`);
		await etcd.put(`${prefix}/c`, kitex("10.0.0.5:1"));
		await shows(watching, "10.0.0.4:1", "10.0.0.5:1");
	});

	test("does not yield instances of another service", async () => {
		const prefix = newPrefix();
		await etcd.put(`${prefix}/a`, "10.0.0.1:1");
		await etcd.put(`${prefix}-old/a`, "10.0.0.2:1");
		await etcd.put(`${prefix}0`, "10.0.0.3:1");
		await etcd.put(prefix, "10.0.0.4:1");
		await using watching = watch(`${prefix}/`);
		await shows(watching, "10.0.0.1:1");
		await etcd.put(`${prefix}-old/b`, "10.0.0.5:1");
		await etcd.put(`${prefix}/b`, "10.0.0.6:1");
		await shows(watching, "10.0.0.1:1", "10.0.0.6:1");
		expect(watching.seen).toHaveLength(2);
	});

	test("distinguishes an unknown service from one whose instances cannot take calls", async () => {
		const prefix = newPrefix();
		await using watching = watch(prefix);
		const problem = (): unknown =>
			(watching.seen.at(-1)?.reason as DiscoveryError | undefined)?.problem;
		await watching.until(() => problem() === "unknownService");
		expect(watching.seen.at(-1)?.reason?.message).toBe(
			`there are no keys under ${prefix}/ in etcd at ${etcd.address}`,
		);
		await etcd.put(`${prefix}/a`, kitex("10.0.0.1:1", { weight: 0 }));
		await watching.until(() => problem() === "noHealthyInstance");
		await etcd.put(`${prefix}/a`, kitex("10.0.0.1:1", { weight: 1 }));
		await shows(watching, "10.0.0.1:1");
		await etcd.put(`${prefix}/a`, kitex("10.0.0.1:1", { weight: -1 }));
		await watching.until(() => problem() === "noHealthyInstance");
		await etcd.delete(`${prefix}/a`);
		await watching.until(() => problem() === "unknownService");
	});

	test("leaves out an invalid value, and names its key", async () => {
		const prefix = newPrefix();
		await etcd.put(`${prefix}/bad`, "{");
		await etcd.put(`${prefix}/good`, "10.0.0.1:1");
		await using watching = watch(prefix);
		await shows(watching, "10.0.0.1:1");
		await etcd.put(`${prefix}/good`, kitex(":8888"));
		await watching.until(() => watching.reported.length > 1);
		expect(watching.reported.map(({ message }) => message)).toEqual([
			`an instance in etcd is invalid and left out: ${prefix}/bad: "{" is not JSON (Expected property name or '}' in JSON at position 1 (line 1 column 2))`,
			`an instance in etcd is invalid and left out: ${prefix}/good: its address ":8888" has no host: the server must register an address that others can reach`,
		]);
		expect(watching.reported[0]).toMatchObject({ problem: "badAnswer" });
		await watching.until(() => watching.addresses?.length === 0);
	});

	test("counts an address under two keys once", async () => {
		const prefix = newPrefix();
		await etcd.put(`${prefix}/lease-1`, "10.0.0.1:1");
		await etcd.put(`${prefix}/lease-2`, "10.0.0.1:1");
		await using watching = watch(prefix);
		await shows(watching, "10.0.0.1:1");
		await etcd.delete(`${prefix}/lease-1`);
		await etcd.put(`${prefix}/b`, "10.0.0.2:1");
		await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
	});

	test("reads 5,000 instances, and turns 200 changes in a second into a few updates without another read", async () => {
		const prefix = newPrefix();
		const name = (n: number): string => `10.0.${n >> 8}.${n & 255}:1`;
		await etcd.putAll(
			Array.from({ length: 5000 }, (_, n) => [
				`${prefix}/${name(n)}`,
				kitex(name(n), { tags: { cluster: "default", zone: "eu-central-1a" } }),
			]),
		);
		const [ranges, watches] = [
			await etcd.calls("Range"),
			await etcd.calls("Watch"),
		];
		await using watching = watch(prefix);
		await watching.until(() => watching.addresses?.length === 5000);
		const before = watching.seen.length;
		const began = performance.now();
		for (let n = 0; n < 200; n++) {
			await etcd.put(`${prefix}/${name(n)}`, kitex(name(n), { weight: 20 }));
		}
		await watching.until(
			() =>
				watching.seen.at(-1)?.endpoints.filter(({ weight }) => weight === 20)
					.length === 200,
		);
		const tenths = (performance.now() - began) / 100;
		expect(watching.seen.length - before).toBeLessThan(tenths + 2);
		expect(await etcd.calls("Range")).toBe(ranges + 1);
		expect(await etcd.calls("Watch")).toBe(watches + 1);
	});

	test("yields a change at once if there was none for a while", async () => {
		const prefix = newPrefix();
		await etcd.put(`${prefix}/a`, "10.0.0.1:1");
		await using watching = watch(prefix);
		await shows(watching, "10.0.0.1:1");
		const times: number[] = [];
		for (let n = 2; n < 7; n++) {
			await new Promise((resolve) => setTimeout(resolve, 150));
			const began = performance.now();
			await etcd.put(`${prefix}/a`, `10.0.0.${n}:1`);
			await shows(watching, `10.0.0.${n}:1`);
			times.push(performance.now() - began);
		}
		expect(Math.min(...times)).toBeLessThan(60);
	});

	describe("with a key for the service config", () => {
		const config = (timeout: string): string =>
			JSON.stringify({ methodConfig: [{ name: [{}], timeout }] });

		test("yields it, and follows its changes", async () => {
			const prefix = newPrefix();
			const key = `${prefix}/config`;
			await etcd.put(`${prefix}/a`, "10.0.0.1:1");
			await etcd.put(key, config("1s"));
			await using watching = watch(prefix, { config: key });
			const current = (): unknown => watching.seen.at(-1)?.serviceConfig;
			await watching.until(() => watching.seen.length > 0);
			// The config comes with the first endpoints, so that no call is made without it.
			expect(watching.seen).toEqual([
				{
					endpoints: [{ address: "10.0.0.1:1", weight: 10 }],
					serviceConfig: JSON.parse(config("1s")),
				},
			]);
			await etcd.put(key, config("2s"));
			await watching.until(
				() =>
					JSON.stringify(current()) ===
					JSON.stringify(JSON.parse(config("2s"))),
			);
			await etcd.delete(key);
			await watching.until(() => current() === undefined);
			expect(watching.reported).toEqual([]);
		});

		test("keeps the last valid one, and still updates the endpoints", async () => {
			const prefix = newPrefix();
			const key = `${prefix}-config`;
			await etcd.put(`${prefix}/a`, "10.0.0.1:1");
			await etcd.put(key, config("soon"));
			await using watching = watch(prefix, { config: key });
			await shows(watching, "10.0.0.1:1");
			expect(watching.seen.at(-1)?.serviceConfig).toBeUndefined();
			expect(watching.reported[0]?.message).toContain(
				`the service config in the key ${key} of etcd is invalid`,
			);
			await etcd.put(key, config("3s"));
			await watching.until(() => watching.seen.length === 2);
			await etcd.put(key, "{");
			await etcd.put(`${prefix}/b`, "10.0.0.2:1");
			await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
			expect(watching.seen.at(-1)?.serviceConfig).toEqual(
				JSON.parse(config("3s")),
			);
			expect(watching.reported).toHaveLength(2);
		});
	});

	describe("whose watch is cut off", () => {
		async function behindLine(): Promise<[TcpLine, string]> {
			const line = await TcpLine.before(etcd.address);
			return [line, line.address];
		}

		test("continues at the same revision, without reading everything again", async () => {
			const prefix = newPrefix();
			await etcd.put(`${prefix}/a`, "10.0.0.1:1");
			const [line, host] = await behindLine();
			await using _ = line;
			const ranges = await etcd.calls("Range");
			await using watching = watch(prefix, { hosts: [host] });
			await shows(watching, "10.0.0.1:1");
			line.stop();
			line.cut();
			await etcd.put(`${prefix}/b`, "10.0.0.2:1");
			await etcd.delete(`${prefix}/a`);
			line.goOn();
			await shows(watching, "10.0.0.2:1");
			line.cut();
			await etcd.put(`${prefix}/c`, "10.0.0.3:1");
			await shows(watching, "10.0.0.2:1", "10.0.0.3:1");
			expect(await etcd.calls("Range")).toBe(ranges + 1);
			expect(watching.reported[0]).toMatchObject({ problem: "unreachable" });
		});

		test("reads everything again if etcd was compacted meanwhile", async () => {
			const prefix = newPrefix();
			await etcd.put(`${prefix}/a`, "10.0.0.1:1");
			await etcd.put(`${prefix}/b`, "10.0.0.2:1");
			const [line, host] = await behindLine();
			await using _ = line;
			await using watching = watch(prefix, { hosts: [host] });
			await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
			line.stop();
			line.cut();
			await etcd.delete(`${prefix}/a`);
			await etcd.put(`${prefix}/c`, "10.0.0.3:1");
			await etcd.compact();
			line.goOn();
			await shows(watching, "10.0.0.2:1", "10.0.0.3:1");
			await etcd.put(`${prefix}/d`, "10.0.0.4:1");
			await shows(watching, "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1");
		});

		test("tries again with a growing backoff while etcd stays down", async () => {
			const prefix = newPrefix();
			await etcd.put(`${prefix}/a`, "10.0.0.1:1");
			const [line, host] = await behindLine();
			await using watching = watch(prefix, { hosts: [host] });
			await shows(watching, "10.0.0.1:1");
			await line[Symbol.asyncDispose]();
			await new Promise((resolve) => setTimeout(resolve, 4000));
			// At about 0 s, 1 s and 2.6 s.
			expect(watching.reported.length).toBeGreaterThan(1);
			expect(watching.reported.length).toBeLessThan(7);
			expect(watching.addresses).toEqual(["10.0.0.1:1"]);
		});
	});

	test("is found behind members that cannot be reached", async () => {
		const prefix = newPrefix();
		await etcd.put(`${prefix}/a`, "10.0.0.1:1");
		const hosts = ["127.0.0.1:1", ...etcd.hosts, "127.0.0.1:2"];
		await using watching = watch(prefix, { hosts });
		await shows(watching, "10.0.0.1:1");
		expect(watching.reported).toEqual([]);
	});

	test("is followed through its own proxy, by several watches of the same keys", async () => {
		const prefix = newPrefix();
		await etcd.put(`${prefix}/a`, "10.0.0.1:1");
		await using proxy = await EtcdProxy.before(etcd);
		const hosts = [proxy.address];
		await using one = watch(prefix, { hosts });
		await shows(one, "10.0.0.1:1");
		await etcd.put(`${prefix}/a`, "10.0.0.2:1");
		await shows(one, "10.0.0.2:1");
		await using two = watch(prefix, { hosts });
		await shows(two, "10.0.0.2:1");
		let ranges = 0;
		for (let n = 3; n < 7; n++) {
			await etcd.put(`${prefix}/a`, `10.0.0.${n}:1`);
			await shows(one, `10.0.0.${n}:1`);
			await shows(two, `10.0.0.${n}:1`);
			// The proxy also reads keys when a watch begins.
			if (n === 3) ranges = await etcd.calls("Range");
		}
		expect(await etcd.calls("Range")).toBe(ranges);
		expect([...one.reported, ...two.reported]).toEqual([]);
	});

	test("without users accepts any user", async () => {
		const prefix = newPrefix();
		await etcd.put(`${prefix}/a`, "10.0.0.1:1");
		const login = { user: "u", password: "p", insecureCredentials: true };
		await using watching = watch(prefix, login);
		await shows(watching, "10.0.0.1:1");
	});

	test("has no connection left after the last watch", async () => {
		const prefix = newPrefix();
		await etcd.put(`${prefix}/a`, "10.0.0.1:1");
		const line = await TcpLine.before(etcd.address);
		const watching = watch(prefix, { hosts: [line.address] });
		await shows(watching, "10.0.0.1:1");
		expect(line.open).toBeGreaterThan(0);
		await watching[Symbol.asyncDispose]();
		await vi.waitFor(() => expect(line.open).toBe(0));
		await line[Symbol.asyncDispose]();
	});
});

describe.skipIf(etcdMissing)("of an etcd of its own", () => {
	async function started(
		init: EtcdInit,
		...instances: string[]
	): Promise<EtcdServer> {
		const etcd = await EtcdServer.start(init);
		for (const at of instances) await etcd.put(`payment/${at}`, at);
		return etcd;
	}

	async function shows(watching: Watching, ...addresses: string[]) {
		await vi.waitFor(
			() =>
				expect([...(watching.addresses ?? [])].sort()).toEqual(
					addresses.sort(),
				),
			25_000,
		);
	}

	test("that is killed leaves the endpoints in use, and is followed when it is back", async () => {
		await using etcd = await started({}, "10.0.0.1:1");
		const { hosts } = etcd;
		await using watching = new Watching(
			etcdResolver({ hosts, prefix: "payment" }),
		);
		await shows(watching, "10.0.0.1:1");
		await etcd.killAll();
		await vi.waitFor(() => expect(watching.reported).not.toEqual([]));
		await etcd.startAll();
		await etcd.put("payment/b", "10.0.0.2:1");
		await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
		expect(watching.seen).toHaveLength(2);
	});

	test("that hangs for a while is followed when it answers again", async () => {
		await using etcd = await started({}, "10.0.0.1:1");
		const { hosts } = etcd;
		await using watching = new Watching(
			etcdResolver({ hosts, prefix: "payment" }),
		);
		await shows(watching, "10.0.0.1:1");
		etcd.pauseAll();
		await vi.waitFor(() => expect(watching.reported).not.toEqual([]), 25_000);
		etcd.resumeAll();
		await etcd.put("payment/b", "10.0.0.2:1");
		await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
	}, 60_000);

	test("that has lost all its data and starts at revision 1 is read again", async () => {
		await using etcd = await started({}, "10.0.0.1:1", "10.0.0.2:1");
		const { hosts } = etcd;
		await using watching = new Watching(
			etcdResolver({ hosts, prefix: "payment" }),
		);
		await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
		await etcd.startAnew();
		await etcd.put("payment/c", "10.0.0.3:1");
		await shows(watching, "10.0.0.3:1");
	});

	test("of three members loses nothing when any one of them is killed", async () => {
		await using etcd = await started({ members: 3 }, "10.0.0.1:1");
		const { hosts } = etcd;
		await using watching = new Watching(
			etcdResolver({ hosts, prefix: "payment" }),
		);
		await shows(watching, "10.0.0.1:1");
		for (const [n, member] of etcd.members.entries()) {
			await member.kill();
			const at = `10.0.1.${n}:1`;
			await vi.waitFor(() => etcd.put("payment/moving", at), 15_000);
			await shows(watching, "10.0.0.1:1", at);
			await member.start();
		}
	}, 90_000);

	test("of three members is used without one that hangs, as soon as it matters", async () => {
		await using etcd = await started({ members: 3 }, "10.0.0.1:1");
		const { hosts } = etcd;
		await using watching = new Watching(
			etcdResolver({ hosts, prefix: "payment" }),
		);
		await shows(watching, "10.0.0.1:1");
		for (const member of etcd.members) {
			if ((await member.calls("Watch")) === 0) continue;
			member.pause();
			const other = etcd.members.find((one) => one !== member);
			await vi.waitFor(
				() =>
					other?.ask("kv/put", {
						key: btoa("payment/b"),
						value: btoa("10.0.0.2:1"),
					}),
				15_000,
			);
			// For example because the client has lost a connection. Without that, it takes up to 25 s.
			const began = performance.now();
			watching.refresh();
			await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
			expect(performance.now() - began).toBeLessThan(9000);
			member.resume();
		}
	}, 90_000);

	test("of three members is used without one that is cut off from the others", async () => {
		await using etcd = await started({ members: 3 }, "10.0.0.1:1");
		const [member, ...others] = etcd.members;
		await using watching = new Watching(
			etcdResolver({ hosts: [member?.address ?? ""], prefix: "payment" }),
		);
		await shows(watching, "10.0.0.1:1");
		for (const other of others) other.pause();
		await vi.waitFor(
			() =>
				expect(watching.reported[0]?.message).toMatch(
					/^watching payment\/: etcd at \S+ cannot be reached: no leader$/,
				),
			25_000,
		);
		for (const other of others) other.resume();
		await vi.waitFor(() => etcd.put("payment/b", "10.0.0.2:1"), 25_000);
		await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
	}, 90_000);

	test("with users yields what the user may read, also after etcd has lost all tokens", async () => {
		await using etcd = await started({ auth: true }, "10.0.0.1:1");
		const { hosts } = etcd;
		await etcd.addUser("reader", "secret", "READ", "payment/");
		const login = {
			hosts,
			user: "reader",
			password: "secret",
			insecureCredentials: true,
		};
		const reading = (options: EtcdResolverOptions) =>
			new Watching(etcdResolver(options));
		await using watching = reading({ ...login, prefix: "payment" });
		await shows(watching, "10.0.0.1:1");

		const refusals: [EtcdResolverOptions, string][] = [
			[{ ...login, prefix: "orders" }, "permission denied; grant its role"],
			[{ ...login, password: "x", prefix: "payment" }, "invalid user ID or"],
			[{ hosts, prefix: "payment" }, "set `user` and `password`"],
		];
		for (const [options, message] of refusals) {
			expect(await reading(options).ended).toMatchObject({
				problem: "forbidden",
				message: expect.stringContaining(message),
			});
		}

		await etcd.killAll();
		await etcd.startAll();
		await etcd.put("payment/b", "10.0.0.2:1");
		await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
		for (const error of watching.reported) {
			expect(error).toMatchObject({ problem: "unreachable" });
		}
	}, 60_000);

	test("that requires users only later then gets the user that it did not need before", async () => {
		await using etcd = await started({}, "10.0.0.1:1");
		await etcd.addUser("reader", "secret", "READ", "payment/");
		const line = await TcpLine.before(etcd.address);
		await using watching = new Watching(
			etcdResolver({
				hosts: [line.address],
				user: "reader",
				password: "secret",
				insecureCredentials: true,
				prefix: "payment",
			}),
		);
		await shows(watching, "10.0.0.1:1");
		await etcd.enableAuth();
		line.stop();
		line.cut();
		await etcd.put("payment/b", "10.0.0.2:1");
		line.goOn();
		await shows(watching, "10.0.0.1:1", "10.0.0.2:1");
		for (const error of watching.reported) {
			expect(error).toMatchObject({ problem: "unreachable" });
		}
		await line[Symbol.asyncDispose]();
	}, 60_000);

	test("with mutual TLS is reached with a certificate, and without one the error says so", async () => {
		await using etcd = await started({ tls: "mutual" }, "10.0.0.1:1");
		const { hosts, tls } = etcd;
		if (tls === undefined) throw new Error("no TLS");
		await using watching = new Watching(
			etcdResolver({ hosts, tls, prefix: "payment" }),
		);
		await shows(watching, "10.0.0.1:1");
		const byName = hosts.map((host) => host.replace("127.0.0.1", "localhost"));
		await using other = new Watching(
			etcdResolver({ hosts: byName, tls: () => tls, prefix: "payment" }),
		);
		await shows(other, "10.0.0.1:1");
		// No certificate has this name. The name of each member applies only to that member.
		const absent = ["127.0.0.2:1", ...hosts];
		await using behind = new Watching(
			etcdResolver({ hosts: absent, tls, prefix: "payment" }),
		);
		await shows(behind, "10.0.0.1:1");
		const { ca } = tls;
		const refused = new Watching(
			etcdResolver({ hosts, tls: { ca }, prefix: "payment" }),
		);
		expect(await refused.ended).toMatchObject({
			problem: "forbidden",
			message: expect.stringContaining("asks for a client certificate"),
		});
	});

	test("is reached over IPv6, and yields instances with IPv6 addresses", async () => {
		await using etcd = await started({ host: "::1" }, "[fd00::1]:1");
		const { hosts } = etcd;
		expect(hosts[0]).toMatch(/^\[::1\]:/);
		await using watching = new Watching(
			etcdResolver({ hosts, prefix: "payment" }),
		);
		await shows(watching, "[fd00::1]:1");
	});
});
