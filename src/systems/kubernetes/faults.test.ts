import { afterEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import type { Fault } from "../../../testdata/harness/kubernetes-answers.ts";
import { KubernetesApi } from "../../../testdata/harness/kubernetes-api.ts";
import { slice } from "../../../testdata/harness/slice-object.ts";
import { Watching } from "../../../testdata/harness/watching.ts";
import type { DiscoveryError } from "../discovery-error.ts";
import { kubernetesResolver } from "./resolver.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

/** An API server with one slice, and a watch of it with a fake clock. */
async function watched(before: (api: KubernetesApi) => void = () => {}) {
	const api = await KubernetesApi.start();
	after.push(() => api[Symbol.asyncDispose]());
	api.put(slice("payment-1", ["10.1.0.1"]));
	before(api);
	const clock = new FakeClock();
	const resolver = kubernetesResolver(
		{ service: "payment", namespace: "shop", apiServer: api.origin },
		{ clock, random: () => 0.5 },
	);
	const made = new Watching(resolver);
	after.push(() => made[Symbol.asyncDispose]());
	/** Advances the clock, and lets messages travel, until a condition holds. */
	const until = async (what: () => unknown, wanted: unknown, stepMs = 100) => {
		await expect
			.poll(
				async () => {
					await clock.advance(stepMs);
					return what();
				},
				{ interval: 5, timeout: 10_000 },
			)
			.toEqual(wanted);
	};
	/** Advances the clock in small steps, and lets messages travel in between. */
	const pass = async (ms: number, stepMs = 250) => {
		for (let passed = 0; passed < ms; passed += stepMs) {
			await clock.advance(stepMs);
			await new Promise((resolve) => setTimeout(resolve, 2));
		}
	};
	return { api, clock, made, until, pass };
}

type Watched = Awaited<ReturnType<typeof watched>>;

const hosts = ({ made }: Watched) =>
	made.addresses?.map((address) => String(address).replace(":50051", ""));

/** Starts a watch and waits for the first endpoints. */
async function following(): Promise<Watched> {
	const all = await watched();
	await all.until(() => hosts(all), ["10.1.0.1"]);
	await all.until(() => all.api.watching, 1);
	return all;
}

describe("the first list", () => {
	test.each<[string, Fault, RegExp]>([
		[
			"is reset",
			"reset",
			/^unreachable: cannot reach the Kubernetes API server at .*socket hang up$/,
		],
		[
			"is garbage",
			"garbage",
			/^badAnswer: .* answered GET \/apis\/.*\/endpointslices with what is not JSON: "<html>/,
		],
		["is cut off", "truncated", /^badAnswer: .* with a body that was cut off$/],
		["has no end", "huge", /^badAnswer: .* with more than 67108864 bytes$/],
		[
			"is empty",
			{ body: "" },
			/^badAnswer: .* with what are not EndpointSlices: list: undefined is not an object$/,
		],
		[
			"is something else",
			{ body: "[1]" },
			/^badAnswer: .* list: a list is not an object$/,
		],
		[
			"has no version",
			{ body: '{"metadata":{},"items":[]}' },
			/^badAnswer: .* list\.metadata\.resourceVersion is missing$/,
		],
		[
			"has no items",
			{ body: '{"metadata":{"resourceVersion":"1"}}' },
			/^badAnswer: .* list\.items: undefined is not a list$/,
		],
		[
			"has strange items",
			{ body: '{"metadata":{"resourceVersion":"1"},"items":[7]}' },
			/^badAnswer: .* object: 7 is not an object$/,
		],
		[
			"never ends its pages",
			{
				body: '{"metadata":{"resourceVersion":"1","continue":"x"},"items":[]}',
			},
			/^badAnswer: .* with more than 1000 pages$/,
		],
		[
			"is a failure",
			{ status: 500, message: "etcd is down" },
			/^unreachable: the Kubernetes API server at .* answered with status 500: etcd is down$/,
		],
		[
			"is too much asked",
			{ status: 429, message: "slow down" },
			/^unreachable: .* 429: slow down$/,
		],
		[
			"is not there",
			{ status: 404 },
			/^badAnswer: .* has no EndpointSlices of discovery\.k8s\.io\/v1 \(404\)/,
		],
		[
			"makes no sense to it",
			{ status: 400 },
			/^badAnswer: .* answered with status 400/,
		],
		[
			"is forbidden",
			{ status: 403, message: 'User "x" cannot list resource' },
			/^forbidden: .* does not allow reading EndpointSlices in namespace shop without a token \(403\): User "x" cannot list resource\. Bind its service account to a Role in shop with the rule \{ apiGroups: \["discovery\.k8s\.io"\], resources: \["endpointslices"\], verbs: \["list", "watch"\] \}$/,
		],
		[
			"is gone for good",
			{ status: 410 },
			/no longer holds the resource version \(410\)/,
		],
	])("%s, and the watch fails", async (_, fault, words) => {
		const { api, made } = await watched((api) => {
			api.faults.list = fault;
		});
		const { problem, message } = (await made.ended) as DiscoveryError;
		expect(`${problem}: ${message}`).toMatch(words);
		expect(made.seen).toEqual([]);
		await expect.poll(() => api.connections()).toBe(0);
	});

	test("does not come, and the watch fails after 30 s", async () => {
		const { api, clock, made } = await watched((api) => {
			api.faults.list = "hang";
		});
		await expect.poll(() => api.requests.length).toBe(1);
		await clock.advance(29_999);
		expect(await api.connections()).toBe(1);
		await clock.advance(1);
		expect(((await made.ended) as Error).message).toMatch(
			/no answer within 30 s$/,
		);
		await expect.poll(() => api.connections()).toBe(0);
	});
});

describe("while a watch goes on", () => {
	test("an API server that dies is queried again with a growing backoff, and the endpoints stay meanwhile", async () => {
		const all = await following();
		const { api, made, until, pass } = all;
		await api.kill();
		await pass(20_000);
		expect(hosts(all)).toEqual(["10.1.0.1"]);
		expect(made.reported[0]).toMatchObject({ problem: "unreachable" });
		// At 0 s, 1 s, 2.6 s, 5.2 s, 9.3 s and 15.8 s.
		expect(made.reported.length).toBeGreaterThan(2);
		expect(made.reported.length).toBeLessThan(8);
		api.put(slice("payment-1", ["10.1.0.2"]));
		await api.restart();
		await until(() => hosts(all), ["10.1.0.2"]);
		expect(api.seen("list")).toHaveLength(1);
	});

	test("the backoff for an API server that stays down grows to 30 s, and is 1 s again after a watch that lasted 5 s", async () => {
		const { api, clock, made, pass, until } = await following();
		await api.kill();
		await pass(120_000, 1000);
		const tries = made.reported.length;
		await pass(120_000, 1000);
		expect(made.reported.length - tries).toBeGreaterThanOrEqual(3);
		expect(made.reported.length - tries).toBeLessThanOrEqual(5);
		await api.restart();
		await until(() => api.watching, 1, 1000);
		await clock.advance(5001);
		const before = made.reported.length;
		await api.kill();
		await expect.poll(() => made.reported.length).toBe(before + 1);
		await clock.advance(1000);
		await expect.poll(() => made.reported.length).toBe(before + 2);
	});

	test("a lost connection makes it query sooner, but at most once a second", async () => {
		const all = await following();
		const { api, clock, made, pass, until } = all;
		await api.kill();
		await pass(60_000);
		const tries = made.reported.length;
		for (let n = 0; n < 20; n++) {
			made.refresh();
			await pass(100, 100);
		}
		expect(made.reported.length - tries).toBeGreaterThan(0);
		expect(made.reported.length - tries).toBeLessThan(4);
		await api.restart();
		api.put(slice("payment-1", ["10.1.0.2"]));
		await pass(1000);
		const began = clock.now();
		made.refresh();
		await until(() => hosts(all), ["10.1.0.2"]);
		expect(clock.now() - began).toBeLessThan(5000);
	});

	test.each<[string, Fault]>([
		["500", { status: 500 }],
		["403", { status: 403 }],
		["a reset", "reset"],
		["garbage", "garbage"],
	])("%s is reported, and does not lead to a hot loop", async (_, fault) => {
		const all = await following();
		const { api, made, until, pass } = all;
		api.faults.watch = fault;
		const { length } = api.requests;
		api.endWatches();
		await pass(60_000);
		expect(api.seen("watch").length - 1).toBeGreaterThan(2);
		expect(api.requests.length - length).toBeLessThan(20);
		expect(made.reported.length).toBeGreaterThan(2);
		expect(hosts(all)).toEqual(["10.1.0.1"]);
		delete api.faults.watch;
		api.put(slice("payment-1", ["10.1.0.2"]));
		await until(() => hosts(all), ["10.1.0.2"]);
		expect(await Promise.race([made.ended, "goes on"])).toBe("goes on");
	});

	test("is silent, and a new one continues from the last version", async () => {
		const all = await following();
		const { api, clock, made, until } = all;
		await clock.advance(149_000);
		expect(api.watching).toBe(1);
		await clock.advance(1000);
		await until(() => api.seen("watch").length, 2);
		expect(made.reported.map(({ message }) => message)).toEqual([
			`cannot reach the Kubernetes API server at ${api.origin}: it has sent nothing for 150 s`,
		]);
		api.put(slice("payment-1", ["10.1.0.2"]));
		await until(() => hosts(all), ["10.1.0.2"]);
		expect(api.seen("list")).toHaveLength(1);
	});

	test("is kept by bookmarks", async () => {
		const { api, clock, made } = await following();
		for (let minute = 0; minute < 10; minute++) {
			await clock.advance(60_000);
			api.bookmark();
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
		expect(api.seen("watch")).toHaveLength(1);
		expect(made.reported).toEqual([]);
	});

	test("does not begin, and is given up after 30 s", async () => {
		const all = await following();
		const { api, made, until } = all;
		api.faults.watch = "hang";
		api.endWatches();
		const last = () => made.reported.at(-1)?.message.replace(/.*: /, "");
		await until(last, "no answer within 30 s", 500);
		delete api.faults.watch;
		api.put(slice("payment-1", ["10.1.0.2"]));
		await until(() => hosts(all), ["10.1.0.2"]);
	});

	test("is cut off within a line, and no change is lost", async () => {
		const all = await following();
		const { api, until } = all;
		api.say('{"type":"MODIFIED","object":{"metad', "cut");
		await expect.poll(() => api.watching).toBe(0);
		api.put(slice("payment-1", ["10.1.0.2"]));
		await until(() => hosts(all), ["10.1.0.2"]);
		expect(api.seen("list")).toHaveLength(1);
	});

	test.each([
		["half a line at its end", '{"type":"MOD', "end" as const],
		["what is not JSON", "nonsense\n", undefined],
		[
			"an event of no type",
			'{"object":{"metadata":{"resourceVersion":"1"}}}\n',
			undefined,
		],
		[
			"an event of an unknown type",
			'{"type":"MOVED","object":{"metadata":{"resourceVersion":"1"}}}\n',
			undefined,
		],
		["an event without an object", '{"type":"ADDED"}\n', undefined],
		[
			"an event without a version",
			'{"type":"BOOKMARK","object":{"metadata":{}}}\n',
			undefined,
		],
		[
			"an event of something else",
			'{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"x","resourceVersion":"1"}}}\n',
			undefined,
		],
		["a line without end", "x".repeat(65 * 1024 * 1024), undefined],
	])(
		"%s may have been a change, so that the slices are listed again",
		async (_, text, end) => {
			const all = await following();
			const { api, made, until } = all;
			api.say(text, end);
			await until(() => api.seen("list").length, 2);
			await until(() => api.watching, 1);
			api.put(slice("payment-1", ["10.1.0.2"]));
			await until(() => hosts(all), ["10.1.0.2"]);
			expect(made.reported[0]).toMatchObject({ problem: "badAnswer" });
		},
	);

	test("an ERROR event other than 410 is reported, and a new watch continues from the last version", async () => {
		const all = await following();
		const { api, made, until } = all;
		api.say(
			'{"type":"ERROR","object":{"kind":"Status","code":504,"message":"timed out"}}\n',
			"end",
		);
		api.put(slice("payment-1", ["10.1.0.2"]));
		await until(() => hosts(all), ["10.1.0.2"]);
		expect(made.reported.map(({ message }) => message)).toEqual([
			`the Kubernetes API server at ${api.origin} answered with status 504: timed out`,
		]);
		expect(api.seen("list")).toHaveLength(1);
	});

	test("watches that end at once do not lead to a hot loop", async () => {
		const all = await following();
		const { api, pass, until } = all;
		api.onRequest = ({ kind }) => {
			if (kind === "watch") setImmediate(() => api.endWatches());
		};
		api.endWatches();
		await pass(60_000);
		expect(api.seen("watch").length).toBeGreaterThan(2);
		expect(api.seen("watch").length).toBeLessThan(12);
		api.onRequest = () => {};
		api.put(slice("payment-1", ["10.1.0.2"]));
		await until(() => hosts(all), ["10.1.0.2"]);
	});

	test("watches that last a second each are started again at once, however many there are", async () => {
		const all = await following();
		const { api, clock, made } = all;
		for (let times = 2; times < 12; times++) {
			await clock.advance(1000);
			api.endWatches();
			await expect.poll(() => api.seen("watch").length).toBe(times);
			await expect.poll(() => api.watching).toBe(1);
		}
		expect(made.reported).toEqual([]);
	});

	test("a watch that ends at once after an event is started again after a second", async () => {
		const { api, clock } = await following();
		for (const [n, ms] of [1000, 1600, 2560].entries()) {
			api.endWatches();
			await new Promise((resolve) => setTimeout(resolve, 20));
			await clock.advance(ms - 1);
			expect(api.seen("watch")).toHaveLength(n + 1);
			await clock.advance(1);
			await expect.poll(() => api.watching).toBe(1);
		}
		api.put(slice("payment-1", ["10.1.0.2"]));
		api.endWatches();
		await new Promise((resolve) => setTimeout(resolve, 20));
		await clock.advance(1000);
		await expect.poll(() => api.watching).toBe(1);
	});

	test("versions that are always too old do not lead to a hot loop", async () => {
		const all = await following();
		const { api, pass, until } = all;
		api.onRequest = ({ kind }) => {
			if (kind !== "watch") return;
			api.moveOn();
			api.compact();
		};
		api.endWatches();
		await pass(60_000);
		expect(api.seen("list").length).toBeGreaterThan(2);
		expect(api.seen("list").length).toBeLessThan(12);
		api.onRequest = () => {};
		api.put(slice("payment-1", ["10.1.0.2"]));
		await until(() => hosts(all), ["10.1.0.2"]);
	});
});
