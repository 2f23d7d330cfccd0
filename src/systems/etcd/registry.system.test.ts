import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
	EtcdServer,
	etcdMissing,
} from "../../../testdata/harness/etcd-server.ts";
import { ScriptedEtcd } from "../../../testdata/harness/scripted-etcd.ts";
import { TcpLine } from "../../../testdata/harness/tcp-line.ts";
import type { Instance, Registration } from "../../discovery/registry.ts";
import { DiscoveryError } from "../discovery-error.ts";
import { ownAddress } from "../own-address.ts";
import { type EtcdRegistryOptions, etcdRegistry } from "./registry.ts";

const { signal } = new AbortController();

test.each<[string, object, string]>([
	["a prefix of slashes", { prefix: "/" }, "prefix: "],
	["a ttl under 2 s", { ttl: "1s" }, 'ttl: "1s" is less than 2 s'],
	["a ttl that is none", { ttl: "soon" }, "ttl: "],
	["no function", { onError: 7 }, "onError: "],
	["an unknown key", { prefx: "a" }, "did you mean prefix?"],
])("%s throws at once", (_, options, message) => {
	expect(() => etcdRegistry(options as EtcdRegistryOptions)).toThrow(message);
});

test.each<[string, Partial<Instance>, string]>([
	["a name with a slash", { name: "a/b" }, "instance.name: "],
	["an empty name", { name: "" }, "instance.name: "],
	["an id with a slash", { id: "a/b" }, "instance.id: "],
	["a host that is none", { host: "a b" }, "instance.host: "],
	["a bad port", { port: 0 }, "instance.host: port"],
	["a weight of 0", { weight: 0 }, "instance.weight: 0 is not a whole number"],
	["part of a weight", { weight: 0.5 }, "instance.weight: "],
])("%s cannot be registered", async (_, instance, message) => {
	const registry = etcdRegistry({ hosts: ["127.0.0.1:1"] });
	await expect(
		registry.register({ name: "payment", port: 1, ...instance }, signal),
	).rejects.toThrow(message);
});

test("an etcd that cannot be reached is reported as such", async () => {
	const registry = etcdRegistry({ hosts: ["127.0.0.1:1"] });
	const instance = { name: "payment", host: "10.0.0.1", port: 1 };
	const error = await registry.register(instance, signal).catch((e) => e);
	expect(error).toBeInstanceOf(DiscoveryError);
	expect(error).toMatchObject({
		problem: "unreachable",
		message: expect.stringContaining(
			"registering payment at 10.0.0.1:1: etcd at 127.0.0.1:1 cannot be reached: connect ECONNREFUSED",
		),
	});
});

test.each(["is refused", "is cancelled"])(
	"a key whose put %s but may have been executed has its lease revoked",
	async (what) => {
		const abort = new AbortController();
		const revoked: bigint[] = [];
		await using etcd = await ScriptedEtcd.start({
			kv: {
				put: async () => {
					if (what === "is refused") {
						throw new ConnectError("no", Code.PermissionDenied);
					}
					abort.abort();
					return await new Promise(() => {});
				},
			},
			lease: {
				leaseGrant: ({ ttl }) => ({ id: 7n, ttl }),
				leaseRevoke: async ({ id }) => {
					// `register` has rejected long before.
					await rejected;
					revoked.push(id);
					return {};
				},
			},
		});
		const { hosts } = etcd;
		const rejected = expect(
			etcdRegistry({ hosts }).register(
				{ name: "payment", host: "10.0.0.1", port: 1 },
				abort.signal,
			),
		).rejects.toThrow();
		await vi.waitFor(() => expect(revoked).toEqual([7n]));
	},
);

describe.skipIf(etcdMissing)("of a real etcd", () => {
	let etcd: EtcdServer;
	beforeAll(async () => {
		etcd = await EtcdServer.start();
	});
	afterAll(() => etcd[Symbol.asyncDispose]());

	let names = 0;

	/** Registers a service with a new name. */
	async function registered(
		instance: Partial<Instance> = {},
		options: EtcdRegistryOptions = {},
	) {
		names += 1;
		const name = `s${names}`;
		const errors: Error[] = [];
		const registry = etcdRegistry({
			hosts: etcd.hosts,
			onError: (error) => errors.push(error),
			...options,
		});
		const register = (more: Partial<Instance> = {}): Promise<Registration> =>
			registry.register(
				{ name, host: "10.0.0.1", port: 8888, ...instance, ...more },
				signal,
			);
		const registration = await register();
		const keys = () => etcd.list(`kitex/registry-etcd/${name}/`);
		return { name, errors, registry, register, registration, keys };
	}

	test("an instance has the key and the value that Kitex uses, under a lease of 60 s", async () => {
		const { name, registration, keys, errors } = await registered({
			zone: "eu-1",
			attributes: { version: "2" },
			tags: ["cluster:blue:1", "canary"],
		});
		const [stored, ...others] = await keys();
		expect(others).toEqual([]);
		expect(stored?.key).toBe(`kitex/registry-etcd/${name}/10.0.0.1:8888`);
		expect(JSON.parse(stored?.value ?? "")).toEqual({
			network: "tcp",
			address: "10.0.0.1:8888",
			weight: 10,
			tags: { cluster: "blue:1", canary: "", version: "2", zone: "eu-1" },
		});
		const lease = await etcd.ask<{ grantedTTL: string }>("lease/timetolive", {
			ID: stored?.lease,
		});
		expect(lease.grantedTTL).toBe("60");
		await registration[Symbol.asyncDispose]();
		expect(await keys()).toEqual([]);
		expect(await etcd.leases()).not.toContain(stored?.lease);
		// Disposing a second time does nothing.
		await registration[Symbol.asyncDispose]();
		await registration.setServing(true);
		expect(await keys()).toEqual([]);
		expect(errors).toEqual([]);
	});

	test.each<[string, Partial<Instance>, string]>([
		["its own host", { host: undefined }, `${ownAddress()}:8888`],
		["IPv6 in brackets", { host: "fd00::1" }, "[fd00::1]:8888"],
		["IPv6 that has them", { host: "[fd00::1]" }, "[fd00::1]:8888"],
	])("an instance has %s", async (_, instance, address) => {
		const { registration, keys } = await registered(instance);
		const [stored] = await keys();
		expect(stored?.key.split("/").at(-1)).toBe(address);
		expect(JSON.parse(stored?.value ?? "")).toMatchObject({ address });
		await registration[Symbol.asyncDispose]();
	});

	test("an id replaces the address in the key, and a prefix replaces that of Kitex", async () => {
		const { name, registration } = await registered(
			{ id: "one", weight: 3 },
			{ prefix: "/services/" },
		);
		const [stored] = await etcd.list(`/services/${name}/`);
		expect(stored?.key).toBe(`/services/${name}/one`);
		expect(JSON.parse(stored?.value ?? "")).toMatchObject({ weight: 3 });
		await registration[Symbol.asyncDispose]();
	});

	test("stays longer than its TTL, because the lease is renewed", async () => {
		const { registration, keys, errors } = await registered({}, { ttl: "2s" });
		const [before] = await keys();
		await new Promise((resolve) => setTimeout(resolve, 5000));
		expect(await keys()).toEqual([before]);
		expect(errors).toEqual([]);
		await registration[Symbol.asyncDispose]();
	});

	test("that is not serving has a lease but no key, and gets its key back when it serves again", async () => {
		const { registration, keys } = await registered({}, { ttl: "2s" });
		const before = await keys();
		await registration.setServing(false);
		expect(await keys()).toEqual([]);
		// A renewal of the lease does not bring the key back either.
		await new Promise((resolve) => setTimeout(resolve, 1000));
		expect(await keys()).toEqual([]);
		expect(await etcd.leases()).toContain(before[0]?.lease);
		await registration.setServing(true);
		expect(await keys()).toEqual(before);
		await Promise.all([
			registration.setServing(false),
			registration.setServing(true),
			registration.setServing(false),
		]);
		expect(await keys()).toEqual([]);
		await registration[Symbol.asyncDispose]();
	});

	test("survives an onError that throws, which is printed", async () => {
		const thrown = new Error("of the hook");
		const printed = vi.spyOn(console, "error").mockImplementation(() => {});
		const { registration, keys } = await registered(
			{},
			{
				ttl: "3s",
				onError: () => {
					throw thrown;
				},
			},
		);
		const [before] = await keys();
		await etcd.revoke(before?.lease ?? "");
		await vi.waitFor(() => {
			expect(printed.mock.calls.flat()).toContain(thrown);
		}, 10_000);
		printed.mockRestore();
		await vi.waitFor(async () => expect(await keys()).toHaveLength(1), 10_000);
		await registration[Symbol.asyncDispose]();
	});

	test("whose key somebody has deleted puts it back", async () => {
		const { name, registration, keys } = await registered({}, { ttl: "3s" });
		const before = await keys();
		await etcd.delete(`kitex/registry-etcd/${name}/10.0.0.1:8888`);
		await vi.waitFor(async () => expect(await keys()).toEqual(before), 5000);
		await registration[Symbol.asyncDispose]();
	});

	test("whose lease has ended is registered again under another one", async () => {
		const { registration, keys, errors } = await registered({}, { ttl: "3s" });
		const [before] = await keys();
		await etcd.revoke(before?.lease ?? "");
		await vi.waitFor(async () => expect(await keys()).toHaveLength(1), 10_000);
		const [after] = await keys();
		expect(after?.value).toBe(before?.value);
		expect(after?.lease).not.toBe(before?.lease);
		expect(errors.map(({ message }) => message)).toEqual([
			expect.stringMatching(/^the lease of s\d+ at 10\.0\.0\.1:8888 has ended/),
		]);
		await registration[Symbol.asyncDispose]();
		expect(await keys()).toEqual([]);
	});

	test("that is not serving stays without a key when its lease ends", async () => {
		const { registration, keys, errors } = await registered({}, { ttl: "3s" });
		const [before] = await keys();
		await registration.setServing(false);
		await etcd.revoke(before?.lease ?? "");
		await vi.waitFor(() => expect(errors).toHaveLength(1), 5000);
		await new Promise((resolve) => setTimeout(resolve, 2000));
		expect(await keys()).toEqual([]);
		await registration.setServing(true);
		expect(await keys()).toHaveLength(1);
		await registration[Symbol.asyncDispose]();
	});

	describe("if two have the same key", () => {
		test("the later one keeps it, and the earlier one reports that once and never changes it", async () => {
			const { register, registration, keys, errors } = await registered(
				{},
				{ ttl: "2s" },
			);
			const later = await register({ weight: 20 });
			const stored = await keys();
			expect(JSON.parse(stored[0]?.value ?? "")).toMatchObject({ weight: 20 });
			await vi.waitFor(() => expect(errors).toHaveLength(1), 5000);
			expect(errors[0]?.message).toMatch(
				/^another process has registered s\d+ at 10\.0\.0\.1:8888 later: it keeps the key kitex.registry-etcd.s\d+.10\.0\.0\.1:8888 until it deregisters/,
			);
			await registration.setServing(false);
			expect(await keys()).toEqual(stored);
			await registration.setServing(true);
			expect(await keys()).toEqual(stored);
			await new Promise((resolve) => setTimeout(resolve, 2000));
			expect(errors).toHaveLength(1);
			await registration[Symbol.asyncDispose]();
			expect(await keys()).toEqual(stored);
			await later[Symbol.asyncDispose]();
			expect(await keys()).toEqual([]);
		});

		test("the earlier one puts its key back when the later one deregisters", async () => {
			const { register, registration, keys } = await registered(
				{},
				{ ttl: "2s" },
			);
			const before = await keys();
			const later = await register({ weight: 20 });
			await later[Symbol.asyncDispose]();
			expect(await keys()).toEqual([]);
			await vi.waitFor(async () => expect(await keys()).toEqual(before), 5000);
			await registration[Symbol.asyncDispose]();
		});
	});

	test("several registrations of one registry share a connection, and the last one closes it", async () => {
		const line = await TcpLine.before(etcd.address);
		const { register, registration, keys } = await registered(
			{},
			{ hosts: [line.address] },
		);
		const one = line.open;
		const second = await register({ port: 9999 });
		expect(line.open).toBe(one);
		expect(await keys()).toHaveLength(2);
		await registration[Symbol.asyncDispose]();
		expect(await keys()).toHaveLength(1);
		await second[Symbol.asyncDispose]();
		await vi.waitFor(() => expect(line.open).toBe(0));
		await line[Symbol.asyncDispose]();
	});

	test("a signal cancels a registration, and nothing is left in etcd", async () => {
		const line = await TcpLine.before(etcd.address);
		line.stop();
		const leases = await etcd.leases();
		const registry = etcdRegistry({ hosts: [line.address] });
		const abort = new AbortController();
		const registering = registry.register(
			{ name: "given-up", host: "10.0.0.1", port: 1 },
			abort.signal,
		);
		const reason = new Error("never mind");
		abort.abort(reason);
		await expect(registering).rejects.toBe(reason);
		await expect(
			registry.register({ name: "given-up", port: 1 }, abort.signal),
		).rejects.toBe(reason);
		line.goOn();
		expect(await etcd.list("kitex/registry-etcd/given-up/")).toEqual([]);
		expect(await etcd.leases()).toEqual(leases);
		await line[Symbol.asyncDispose]();
	});

	test("an etcd that hangs or is down delays deregistering by at most 2 s, and that is reported", async () => {
		const line = await TcpLine.before(etcd.address);
		const { registration } = await registered({}, { hosts: [line.address] });
		line.stop();
		const began = performance.now();
		await expect(registration[Symbol.asyncDispose]()).rejects.toMatchObject({
			problem: "unreachable",
			message: expect.stringMatching(
				/^removing s\d+ at 10\.0\.0\.1:8888, which clients may find until its lease ends, in 60 s at most: etcd at /,
			),
		});
		expect(performance.now() - began).toBeLessThan(2500);
		line.goOn();
		await line[Symbol.asyncDispose]();
	});
});
