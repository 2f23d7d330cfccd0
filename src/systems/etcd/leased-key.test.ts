import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import {
	type EtcdScript,
	ScriptedEtcd,
} from "../../../testdata/harness/scripted-etcd.ts";
import { EtcdClient } from "./etcd-client.ts";
import { LeasedKey } from "./leased-key.ts";
import { type EtcdOptions, etcdSetting } from "./options.ts";

/** An etcd that grants leases 1, 2 and so on with a TTL of 60 s, and a key in it, with a fake clock. */
async function leasing(
	{ kv, lease, auth }: EtcdScript = {},
	options: EtcdOptions = {},
) {
	const grants: bigint[] = [];
	const puts: bigint[] = [];
	const etcd = await ScriptedEtcd.start({
		kv: {
			put: (request) => {
				puts.push(request.lease);
				return {};
			},
			range: () => ({ kvs: [{ lease: BigInt(grants.length) }] }),
			...kv,
		},
		lease: {
			leaseGrant: ({ ttl }) => {
				grants.push(ttl);
				return { id: BigInt(grants.length), ttl };
			},
			async *leaseKeepAlive(requests) {
				for await (const { id } of requests) yield { id, ttl: 60n };
			},
			leaseRevoke: () => ({}),
			...lease,
		},
		auth,
	});
	const clock = new FakeClock();
	const client = new EtcdClient(etcdSetting({ ...options, hosts: etcd.hosts }));
	const errors: string[] = [];
	const key = new LeasedKey({
		client,
		key: "p/a",
		value: "v",
		name: "payment at 10.0.0.1:1",
		ttlSeconds: 60n,
		clock,
		random: () => 0.5,
		report: (error) => errors.push(error.message),
	});
	const { signal } = new AbortController();
	return {
		clock,
		key,
		grants,
		puts,
		errors,
		start: () => key.start(signal),
		async [Symbol.asyncDispose]() {
			await client.close();
			await etcd[Symbol.asyncDispose]();
		},
	};
}

const aWhile = (): Promise<void> =>
	new Promise((resolve) => setTimeout(resolve, 100));

test("a lease is renewed three times per TTL, over one stream", async () => {
	let streams = 0;
	let signs = 0;
	await using leased = await leasing({
		lease: {
			async *leaseKeepAlive(requests) {
				streams += 1;
				for await (const { id } of requests) {
					signs += 1;
					yield { id, ttl: 60n };
				}
			},
		},
	});
	await leased.start();
	for (let n = 1; n < 5; n++) {
		await vi.waitFor(() => expect(signs).toBe(n));
		await aWhile();
		await leased.clock.advance(19_999);
		await aWhile();
		expect(signs).toBe(n);
		await leased.clock.advance(1);
	}
	expect(streams).toBe(1);
	expect(leased.errors).toEqual([]);
	await leased.key.stop();
	expect(leased.clock.pending).toBe(0);
});

test("the TTL that the server grants applies", async () => {
	let signs = 0;
	await using leased = await leasing({
		lease: {
			leaseGrant: () => ({ id: 1n, ttl: 6n }),
			async *leaseKeepAlive(requests) {
				for await (const { id } of requests) {
					signs += 1;
					yield { id, ttl: 6n };
				}
			},
		},
		kv: { range: () => ({ kvs: [{ lease: 1n }] }) },
	});
	await leased.start();
	await vi.waitFor(() => expect(signs).toBe(1));
	await aWhile();
	await leased.clock.advance(2000);
	await vi.waitFor(() => expect(signs).toBe(2));
	await leased.key.stop();
});

test("leases that end at once are requested with a growing backoff", async () => {
	await using leased = await leasing({
		lease: {
			async *leaseKeepAlive(requests) {
				for await (const { id } of requests) yield { id, ttl: 0n };
			},
		},
	});
	await leased.start();
	for (const [n, ms] of [1000, 1600, 2560, 4096].entries()) {
		await vi.waitFor(() => expect(leased.errors).toHaveLength(n + 1));
		await leased.clock.advance(ms - 1);
		await aWhile();
		expect(leased.grants).toHaveLength(n + 1);
		await leased.clock.advance(1);
	}
	expect(leased.errors[0]).toBe(
		"the lease of payment at 10.0.0.1:1 has ended; it is registered again",
	);
	await leased.key.stop();
});

test("a renewal that is not answered is given up after 5 s, and sent on another stream", async () => {
	let streams = 0;
	await using leased = await leasing({
		lease: {
			async *leaseKeepAlive(requests) {
				streams += 1;
				for await (const { id } of requests) {
					if (streams > 1) yield { id, ttl: 60n };
				}
			},
		},
	});
	await leased.start();
	await vi.waitFor(() => expect(streams).toBe(1));
	await leased.clock.advance(4999);
	await aWhile();
	expect(leased.errors).toEqual([]);
	await leased.clock.advance(1);
	await vi.waitFor(() => expect(streams).toBe(2));
	expect(leased.errors).toEqual([
		expect.stringMatching(
			/^keeping payment at 10\.0\.0\.1:1: etcd at \S+ cannot be reached: no answer in 5 s$/,
		),
	]);
	expect(leased.grants).toHaveLength(1);
	await leased.key.stop();
});

test("a stream whose token has expired is replaced by one with a new token, without an error", async () => {
	let tokens = 0;
	let ended = false;
	const streams: (string | null)[] = [];
	await using leased = await leasing(
		{
			auth: { authenticate: () => ({ token: `t${++tokens}` }) },
			lease: {
				async *leaseKeepAlive(requests, { requestHeader }) {
					const token = requestHeader.get("token");
					streams.push(token);
					for await (const { id } of requests) {
						if (ended && token === "t1") {
							const message = "etcdserver: invalid auth token";
							throw new ConnectError(message, Code.Unauthenticated);
						}
						yield { id, ttl: 60n };
					}
				},
			},
		},
		{ user: "u", password: "p", insecureCredentials: true },
	);
	await leased.start();
	await vi.waitFor(() => expect(leased.clock.pending).toBe(1));
	await aWhile();
	expect(streams).toEqual(["t1"]);
	ended = true;
	await leased.clock.advance(20_000);
	await vi.waitFor(() => expect(streams).toEqual(["t1", "t2"]));
	await aWhile();
	await leased.clock.advance(20_000);
	await aWhile();
	expect(streams).toEqual(["t1", "t2"]);
	expect(leased.errors).toEqual([]);
	await leased.key.stop();
});

test("a request that is lost in an election is sent again, up to three times in all", async () => {
	let asked = 0;
	await using leased = await leasing({
		lease: {
			leaseGrant: ({ ttl }) => {
				asked += 1;
				if (asked < 3) throw new ConnectError("no leader", Code.Unavailable);
				return { id: 1n, ttl };
			},
		},
	});
	const started = leased.start();
	for (let times = 1; times < 3; times++) {
		await vi.waitFor(() => expect(leased.clock.pending).toBe(1));
		expect(asked).toBe(times);
		await leased.clock.advance(1000);
	}
	await started;
	expect(leased.puts).toEqual([1n]);
	await leased.key.stop();
});

test("a lease that ends before the key is put is replaced by another one", async () => {
	await using leased = await leasing({
		kv: {
			put: ({ lease }) => {
				if (lease === 2n) return {};
				const message = "etcdserver: requested lease not found";
				throw new ConnectError(message, Code.NotFound);
			},
		},
	});
	const started = leased.start();
	await vi.waitFor(() => expect(leased.clock.pending).toBe(1));
	expect(leased.grants).toHaveLength(1);
	await leased.clock.advance(1000);
	await started;
	expect(leased.grants).toHaveLength(2);
	await leased.key.stop();
});

test.each([
	["no leader", Code.Unavailable, 3, "unreachable"],
	["too many requests", Code.ResourceExhausted, 3, "unreachable"],
	["database space exceeded", Code.ResourceExhausted, 1, "badAnswer"],
	["permission denied", Code.PermissionDenied, 1, "forbidden"],
	["who knows", Code.Internal, 1, "badAnswer"],
])(
	"a put that fails with %j (%s) is attempted %i times, and leaves no lease",
	async (message, code, tries, problem) => {
		const revoked: bigint[] = [];
		await using leased = await leasing({
			kv: {
				put: () => {
					throw new ConnectError(`etcdserver: ${message}`, code);
				},
			},
			lease: {
				leaseRevoke: ({ id }) => {
					revoked.push(id);
					return {};
				},
			},
		});
		const started = leased.start().catch((error) => error);
		for (let times = 1; times < tries; times++) {
			await vi.waitFor(() => expect(leased.clock.pending).toBe(1));
			await leased.clock.advance(1000);
		}
		expect(await started).toMatchObject({ problem });
		await vi.waitFor(() => expect(revoked).toEqual([1n]));
		expect(leased.grants).toHaveLength(1);
	},
);

test("a key of another process that a lagging member shows is not reported", async () => {
	const questions: boolean[] = [];
	await using leased = await leasing({
		kv: {
			range: ({ serializable }) => {
				questions.push(serializable);
				return { kvs: [{ lease: 77n }] };
			},
			txn: () => ({
				succeeded: false,
				responses: [
					{
						response: {
							case: "responseRange",
							value: { kvs: [{ lease: 1n }] },
						},
					},
				],
			}),
		},
	});
	await leased.start();
	for (let times = 1; times < 3; times++) {
		await vi.waitFor(() => expect(questions).toHaveLength(times));
		await vi.waitFor(() => expect(leased.clock.pending).toBe(1));
		await leased.clock.advance(20_000);
	}
	expect(questions[0]).toBe(true);
	expect(leased.errors).toEqual([]);
	await leased.key.stop();
});

test("a lease that ends while the key is put back is replaced by another one", async () => {
	await using leased = await leasing({
		kv: {
			range: () => ({}),
			txn: () => {
				const message = "etcdserver: requested lease not found";
				throw new ConnectError(message, Code.NotFound);
			},
		},
	});
	await leased.start();
	await vi.waitFor(() => expect(leased.errors).toHaveLength(1));
	await leased.clock.advance(1000);
	await vi.waitFor(() => expect(leased.grants).toHaveLength(2));
	expect(leased.errors[0]).toBe(
		"the lease of payment at 10.0.0.1:1 has ended; it is registered again",
	);
	await leased.key.stop();
});

test("stop rejects if etcd refuses to revoke the lease, and resolves if the lease has already ended", async () => {
	for (const [code, outcome] of [
		[Code.NotFound, "well"],
		[Code.PermissionDenied, "forbidden"],
	] as const) {
		await using leased = await leasing({
			lease: {
				leaseRevoke: () => {
					throw new ConnectError("no", code);
				},
			},
		});
		await leased.start();
		const stopped = leased.key.stop().then(
			() => "well",
			({ problem }) => problem,
		);
		expect(await stopped).toBe(outcome);
	}
});
