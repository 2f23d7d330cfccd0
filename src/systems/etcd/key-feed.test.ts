import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test, vi } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import {
	type Answers,
	type EtcdScript,
	ScriptedEtcd,
} from "../../../testdata/harness/scripted-etcd.ts";
import { EtcdClient } from "./etcd-client.ts";
import { KeyFeed } from "./key-feed.ts";
import { keysUnder, keyText } from "./key-range.ts";
import { etcdSetting } from "./options.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> =>
	new TextEncoder().encode(text);

/** A store with one key, at revision 10 of the cluster 1. */
const kv: EtcdScript["kv"] = {
	range: () => ({
		header: { clusterId: 1n, revision: 10n },
		kvs: [{ key: bytes("p/a"), value: bytes("v"), modRevision: 3n }],
	}),
};

const created = (revision = 10n, clusterId = 1n) => ({
	created: true,
	header: { clusterId, revision },
});

/** A watch that reports nothing and does not end. */
async function* idle(
	requests: AsyncIterable<unknown>,
	...answers: readonly object[]
): Answers {
	yield* answers;
	for await (const _ of requests);
	await new Promise(() => {});
}

/** Starts a feed of the keys under p, with a fake clock. */
async function feeding(script: EtcdScript) {
	const etcd = await ScriptedEtcd.start({ kv, ...script });
	const clock = new FakeClock();
	const client = new EtcdClient(etcdSetting({ hosts: etcd.hosts }));
	const lists: string[][] = [];
	const events: string[] = [];
	const errors: string[] = [];
	const feed = new KeyFeed({
		client,
		range: keysUnder("p"),
		name: "p/",
		clock,
		random: () => 0.5,
		all: (kvs) => lists.push(kvs.map(({ key }) => keyText(key))),
		changed: (changes) => {
			for (const { kv } of changes) events.push(keyText(kv?.key ?? bytes("")));
		},
		report: (error) => errors.push(error.message),
	});
	await feed.start();
	return {
		etcd,
		clock,
		feed,
		lists,
		events,
		errors,
		/** Resolves when this many watches were opened. */
		watched: (times: number) =>
			vi.waitFor(() => expect(etcd.starts).toHaveLength(times)),
		/** Resolves when the feed has nothing to do but wait. */
		content: () => vi.waitFor(() => expect(clock.pending).toBe(0)),
		async [Symbol.asyncDispose]() {
			feed.stop();
			await client.close();
			await etcd[Symbol.asyncDispose]();
		},
	};
}

/** A time in which nothing more may happen. */
const aWhile = (): Promise<void> =>
	new Promise((resolve) => setTimeout(resolve, 100));

test("a watch that ends at once is started again at most once a second", async () => {
	await using feed = await feeding({
		watch: async function* () {
			yield created();
		},
	});
	await feed.watched(1);
	for (let times = 1; times < 4; times++) {
		await vi.waitFor(() => expect(feed.errors).toHaveLength(times));
		await feed.clock.advance(999);
		await aWhile();
		expect(feed.etcd.starts).toHaveLength(times);
		await feed.clock.advance(1);
		await feed.watched(times + 1);
	}
	expect(feed.errors[0]).toMatch(
		/^watching p\/: etcd at \S+ cannot be reached: the watch has ended$/,
	);
	expect(feed.lists).toHaveLength(1);
});

test("a watch that is refused is tried again with a growing backoff, up to 16 s", async () => {
	await using feed = await feeding({
		watch: async function* () {
			yield* [];
			throw new ConnectError("no", Code.Internal);
		},
	});
	const waits = [1000, 1600, 2560, 4096, 6553.6, 10_485.76, 16_000, 16_000];
	for (const [n, ms] of waits.entries()) {
		await vi.waitFor(() => expect(feed.errors).toHaveLength(n + 1));
		await feed.clock.advance(ms - 1);
		await aWhile();
		expect(feed.errors).toHaveLength(n + 1);
		await feed.clock.advance(1);
	}
	expect(feed.errors[0]).toMatch(/^watching p\/: etcd at \S+ failed: no$/);
});

test.each([
	["", "failed: etcd cancelled the watch"],
	["who knows", "failed: who knows"],
	[
		"rpc error: code = PermissionDenied desc = etcdserver: permission denied",
		"refuses it: permission denied; grant its role a permission for these keys",
	],
])(
	"a watch that is canceled with %j is reported as: %s",
	async (cancelReason, text) => {
		await using feed = await feeding({
			watch: (requests) =>
				idle(requests, created(), { canceled: true, cancelReason }),
		});
		await vi.waitFor(() => expect(feed.errors).toHaveLength(1));
		expect(feed.errors[0]).toContain(text);
		expect(feed.lists).toHaveLength(1);
	},
);

test.each([
	["that lags behind", created(9n)],
	["of another cluster", created(11n, 2n)],
	["that has forgotten", { canceled: true, compactRevision: 20n }],
])(
	"a response from a member %s makes the keys be listed again, at least a second later",
	async (_, answer) => {
		await using feed = await feeding({
			watch: (requests) => idle(requests, answer),
		});
		await feed.watched(1);
		for (const [n, ms] of [1000, 1600, 2560].entries()) {
			await aWhile();
			await feed.clock.advance(ms - 1);
			await aWhile();
			expect(feed.lists).toHaveLength(n + 1);
			await feed.clock.advance(1);
			await feed.watched(n + 2);
			expect(feed.lists).toHaveLength(n + 2);
		}
		expect(feed.errors).toEqual([]);
	},
);

test("a proxy that does not send the id of its cluster is trusted", async () => {
	await using feed = await feeding({
		watch: (requests) =>
			idle(requests, created(11n, 0n), {
				events: [{ kv: { key: bytes("p/b"), modRevision: 12n } }],
			}),
	});
	await vi.waitFor(() => expect(feed.events).toEqual(["p/b"]));
	expect(feed.lists).toHaveLength(1);
});

test("a compaction that happened long ago makes the keys be listed again at once", async () => {
	const forget = Promise.withResolvers<void>();
	await using feed = await feeding({
		watch: async function* (requests, number) {
			yield created();
			if (number > 1) yield* idle(requests);
			await forget.promise;
			yield { canceled: true, compactRevision: 20n };
		},
	});
	await feed.watched(1);
	await feed.content();
	await feed.clock.advance(60_000);
	forget.resolve();
	await feed.watched(2);
	expect(feed.lists).toHaveLength(2);
});

test("a compaction during an outage makes the keys be listed again at once", async () => {
	const end = Promise.withResolvers<void>();
	await using feed = await feeding({
		watch: async function* (requests, number) {
			if (number === 2) yield { canceled: true, compactRevision: 20n };
			yield created();
			if (number > 2) yield* idle(requests);
			await end.promise;
		},
	});
	await feed.watched(1);
	await feed.content();
	await feed.clock.advance(60_000);
	end.resolve();
	await feed.watched(3);
	expect(feed.lists).toHaveLength(2);
});

test("a watch continues after the last event or the last reported revision", async () => {
	const put = (revision: bigint) => ({
		header: { clusterId: 1n, revision: revision + 5n },
		events: [{ kv: { key: bytes("p/b"), modRevision: revision } }],
	});
	await using feed = await feeding({
		watch: async function* (_requests, number) {
			// The store is ahead of what this watch has reported.
			yield created(100n);
			if (number === 1) return;
			if (number === 2) yield put(12n);
			if (number === 3) yield { header: { clusterId: 1n, revision: 40n } };
			if (number === 4) yield { events: [{}] };
		},
	});
	for (let times = 1; times < 5; times++) {
		await feed.watched(times);
		await vi.waitFor(() => expect(feed.errors).toHaveLength(times));
		await feed.clock.advance(1000);
	}
	await feed.watched(5);
	expect(feed.etcd.starts).toEqual([11n, 11n, 13n, 41n, 41n]);
	// With progress notifications, a service without changes is not read again after a compaction.
	expect(feed.etcd.notified).not.toContain(false);
	expect(feed.events).toEqual(["p/b", ""]);
	expect(feed.lists).toEqual([["p/a"]]);
});

test("a watch that gets no response is given up after 5 s", async () => {
	await using feed = await feeding({
		watch: (requests) => idle(requests),
	});
	await feed.watched(1);
	await feed.clock.advance(4999);
	await aWhile();
	expect(feed.errors).toEqual([]);
	await feed.clock.advance(1);
	await vi.waitFor(() => expect(feed.errors).toHaveLength(1));
	expect(feed.errors[0]).toContain("cannot be reached: no answer in 5 s");
	await feed.watched(2);
});

test("after hurry, a watch must show that it is alive, or it is given up after 5 s", async () => {
	let answers = true;
	await using feed = await feeding({
		watch: async function* (requests) {
			yield created();
			for await (const _ of requests) {
				if (answers) yield { header: { clusterId: 1n, revision: 10n } };
			}
		},
	});
	await feed.watched(1);
	await feed.content();
	feed.feed.hurry();
	await vi.waitFor(() => expect(feed.etcd.progressRequests).toBe(1));
	await feed.content();
	await feed.clock.advance(60_000);
	expect(feed.errors).toEqual([]);
	answers = false;
	feed.feed.hurry();
	await vi.waitFor(() => expect(feed.etcd.progressRequests).toBe(2));
	await feed.clock.advance(5000);
	await feed.watched(2);
	expect(feed.errors).toHaveLength(1);
	expect(feed.lists).toHaveLength(1);
});

test("a progress request that etcd ignores is repeated a second later", async () => {
	await using feed = await feeding({
		watch: async function* (requests) {
			yield created();
			let questions = 0;
			for await (const _ of requests) {
				questions += 1;
				if (questions > 2) yield { header: { clusterId: 1n, revision: 10n } };
			}
		},
	});
	await feed.watched(1);
	await feed.content();
	feed.feed.hurry();
	for (let questions = 1; questions < 3; questions++) {
		await vi.waitFor(() => expect(feed.etcd.progressRequests).toBe(questions));
		await feed.clock.advance(999);
		await aWhile();
		expect(feed.etcd.progressRequests).toBe(questions);
		await feed.clock.advance(1);
	}
	await feed.content();
	await feed.clock.advance(60_000);
	expect(feed.etcd.progressRequests).toBe(3);
	expect(feed.errors).toEqual([]);
});

test("hurry shortens the wait for the next attempt to a second", async () => {
	await using feed = await feeding({
		watch: async function* () {
			yield* [];
			throw new ConnectError("no", Code.Unavailable);
		},
	});
	for (const [n, ms] of [1000, 1600, 2560].entries()) {
		await vi.waitFor(() => expect(feed.errors).toHaveLength(n + 1));
		await feed.clock.advance(ms);
	}
	await vi.waitFor(() => expect(feed.errors).toHaveLength(4));
	await feed.clock.advance(500);
	feed.feed.hurry();
	await feed.clock.advance(499);
	await aWhile();
	expect(feed.errors).toHaveLength(4);
	await feed.clock.advance(1);
	await vi.waitFor(() => expect(feed.errors).toHaveLength(5));
});

test("after stop, the feed does nothing more and leaves no timer", async () => {
	const feed = await feeding({
		watch: async function* (_requests, number) {
			yield created();
			if (number > 1) await new Promise(() => {});
		},
	});
	await vi.waitFor(() => expect(feed.errors).toHaveLength(1));
	feed.feed.stop();
	await vi.waitFor(() => expect(feed.clock.pending).toBe(0));
	await feed.clock.advance(60_000);
	await aWhile();
	expect(feed.etcd.starts).toHaveLength(1);
	await feed[Symbol.asyncDispose]();
});
