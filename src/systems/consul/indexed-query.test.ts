import { afterEach, expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { HttpProxy } from "../../../testdata/harness/http-proxy.ts";
import { type Clock, systemClock } from "../../policy/clock.ts";
import { ConsulAgent } from "./agent.ts";
import { agentSetting } from "./agent-options.ts";
import { IndexedQuery } from "./indexed-query.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const action of after.splice(0)) await action();
});

/** A query to an agent that answers with these indexes one after another, and then does not answer. */
async function queryOf(
	indexes: readonly (string | undefined)[],
	clock: Clock = systemClock,
) {
	const server = await HttpProxy.start();
	const left = [...indexes];
	server.interfere = (_, response) => {
		if (left.length === 0) return true;
		const index = left.shift();
		if (index !== undefined) response.setHeader("x-consul-index", index);
		response.end("[]");
		return true;
	};
	const setting = agentSetting({ agent: server.address }, {});
	const agent = new ConsulAgent(setting, clock);
	after.push(
		() => agent.close(),
		() => server[Symbol.asyncDispose](),
	);
	const query = new IndexedQuery(agent, {
		path: "health/service/a",
		query: { passing: "true" },
	});
	const { signal } = new AbortController();
	return {
		server,
		/** Sends a query for each answer, and returns the queries that were sent. */
		async asked(): Promise<string[]> {
			for (const _ of indexes) await query.next(signal).catch(() => {});
			return server.seen.map((line) =>
				line.replace("GET /v1/health/service/a?passing=true", ""),
			);
		},
		next: () => query.next(signal),
		forget: () => query.forget(),
	};
}

test("the first query does not wait, and further ones wait for a change, up to five minutes", async () => {
	const { asked } = await queryOf(["7", "7", "12"]);
	expect(await asked()).toEqual([
		"",
		"&index=7&wait=300s",
		"&index=7&wait=300s",
	]);
});

test("after an index that goes backwards, the next query does not wait", async () => {
	const { asked } = await queryOf(["7", "5", "5", "6"]);
	expect(await asked()).toEqual([
		"",
		"&index=7&wait=300s",
		"",
		"&index=5&wait=300s",
	]);
});

test("after an answer that could not be used, the next query does not wait", async () => {
	const { next, forget, server } = await queryOf(["7", "7"]);
	await next();
	forget();
	await next();
	expect(server.seen.at(-1)).toBe("GET /v1/health/service/a?passing=true");
});

test("an index of 0 counts as 1, so that the next query waits", async () => {
	const { asked } = await queryOf(["0", "0"]);
	expect(await asked()).toEqual(["", "&index=1&wait=300s"]);
});

test("an index may be any 64-bit number", async () => {
	const { asked } = await queryOf(["18446744073709551615", "1"]);
	expect((await asked())[1]).toContain("index=18446744073709551615");
});

test.each([
	[undefined, "no X-Consul-Index; is it a Consul agent"],
	["", 'the X-Consul-Index "", which is not a number'],
	["soon", 'the X-Consul-Index "soon", which is not a number'],
	["-1", 'the X-Consul-Index "-1", which is not a number'],
])(
	"an answer whose index is %j is an error, and the next query does not wait",
	async (index, message) => {
		const { next, server } = await queryOf(["7", index, "9"]);
		await next();
		await expect(next()).rejects.toMatchObject({
			problem: "badAnswer",
			message: expect.stringContaining(message),
		});
		await next();
		expect(server.seen.at(-1)).toBe("GET /v1/health/service/a?passing=true");
	},
);

test("a query that does not wait is given up after 9 s", async () => {
	const clock = new FakeClock();
	const { next, server } = await queryOf([], clock);
	const answer = expect(next()).rejects.toMatchObject({
		problem: "unreachable",
		message: expect.stringMatching(/no answer within 9 s/),
	});
	await expect.poll(() => server.seen.length).toBe(1);
	await clock.advance(9000);
	await answer;
});

test("a query that waits is given up after the wait, a sixteenth of it, and 9 s", async () => {
	const clock = new FakeClock();
	const { next, server } = await queryOf(["7"], clock);
	await next();
	let over = false;
	const answer = expect(
		next().finally(() => {
			over = true;
		}),
	).rejects.toThrow(/no answer within 327.75 s/);
	await expect.poll(() => server.seen.length).toBe(2);
	await clock.advance(327_700);
	expect(over).toBe(false);
	await clock.advance(100);
	await answer;
});
