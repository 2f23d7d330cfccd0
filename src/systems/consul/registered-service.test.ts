import { json } from "node:stream/consumers";
import { afterEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../../testdata/harness/fake-clock.ts";
import { HttpProxy } from "../../../testdata/harness/http-proxy.ts";
import type { Clock } from "../../policy/clock.ts";
import { ANSWER_MS } from "./agent.ts";
import type { ConsulCheck } from "./checks.ts";
import { consulRegistry } from "./registry.ts";

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

const { signal } = new AbortController();

/** An agent with one service "a". A test sets what it answers. */
async function agentOf(clock: FakeClock) {
	const server = await HttpProxy.start();
	after.push(() => server[Symbol.asyncDispose]());
	const agent = {
		address: server.address,
		/** Undefined if it has forgotten the service. */
		service: undefined as { Meta: object } | undefined,
		/** The body of the registration. */
		status: "",
		checks: {},
		maintenance: false,
		/** Whether it answers 500 to all requests. */
		failing: false,
		/** Whether the catalog has the service. */
		found: true,
		/** Headers of the catalog's answers, which say whether the token may read the service. */
		headers: {},
		/** The requests as "METHOD path", without ids and query, with their times. */
		asked: [] as { what: string; at: number }[],
	};
	const answerTo = async (
		what: string,
		query: URLSearchParams,
		body: () => Promise<unknown>,
	): Promise<[status: number, value?: unknown]> => {
		if (agent.failing) return [500];
		switch (what) {
			case "PUT agent/service/register": {
				const { Meta, Check } = (await body()) as {
					Meta: object;
					Check: { CheckID: string; Status: string };
				};
				agent.service = { Meta };
				agent.status = Check.Status;
				agent.checks = { [Check.CheckID]: Check };
				return [200];
			}
			case "GET catalog/service/a":
				return [200, agent.found ? [{}] : []];
			case "PUT agent/service/deregister/a":
				agent.service = undefined;
				return [200];
			case "PUT agent/service/maintenance/a":
				if (agent.service === undefined) return [404];
				agent.maintenance = query.get("enable") === "true";
				return [200];
			case "GET agent/checks":
				return [200, agent.checks];
			default:
				return agent.service === undefined ? [404] : [200, agent.service];
		}
	};
	server.interfere = (request, response) => {
		const url = new URL(request.url ?? "", "http://agent");
		const path = url.pathname
			.replace("/v1/", "")
			.replace(/(check\/update)\/.*/, "$1");
		const what = `${request.method} ${path}`;
		agent.asked.push({ what, at: Math.round(clock.now()) });
		void answerTo(what, url.searchParams, () => json(request)).then(
			([status, value]) =>
				response
					.writeHead(status, agent.headers)
					.end(value === undefined ? "" : JSON.stringify(value)),
		);
		return true;
	};
	return agent;
}

async function registered(check: ConsulCheck = { kind: "ttl", ttl: "15s" }) {
	const clock = new FakeClock();
	const agent = await agentOf(clock);
	/** The times between the checks of the service. */
	const waits: number[] = [];
	let looked = 0;
	const observed: Clock = {
		now: () => clock.now(),
		after: (ms, action) => clock.after(ms, action),
		afterIdle: (ms, action) => {
			if (ms !== ANSWER_MS) waits.push(ms);
			return clock.afterIdle(ms, action);
		},
		cancel: (timer) => clock.cancel(timer),
	};
	const errors: string[] = [];
	const registry = consulRegistry(
		{
			agent: agent.address,
			check,
			onError: ({ message }) => errors.push(message),
		},
		{ environment: {}, clock: observed, random: () => 0.5 },
	);
	const instance = { name: "a", host: "10.0.0.1", port: 1, id: "a" };
	const registering = registry.register(instance, signal);
	after.push(async () => {
		agent.failing = false;
		await (await registering)[Symbol.asyncDispose]();
	});
	/** The times of a kind of request. */
	const times = (what: string): number[] =>
		agent.asked.filter((one) => one.what === what).map(({ at }) => at);
	return {
		agent,
		clock,
		errors,
		registering,
		times,
		waits,
		/** Advances the clock to the next check of the service, and waits for its requests. */
		async look(): Promise<void> {
			await expect.poll(() => waits.length).toBe(looked + 1);
			looked += 1;
			await clock.advance(waits.at(-1) ?? 0);
			await expect.poll(() => waits.length).toBe(looked + 1);
		},
	};
}

describe("a service that is registered in Consul", () => {
	test.each<[ConsulCheck, number]>([
		[{ kind: "ttl", ttl: "15s" }, 5000],
		[{ kind: "ttl", ttl: "3s" }, 1000],
		[{ kind: "ttl", ttl: "60s" }, 5000],
		[{ kind: "tcp" }, 5000],
	])("with the check %o is checked every %i ms", async (check, everyMs) => {
		const { registering, look, times } = await registered(check);
		await registering;
		for (let n = 0; n < 3; n++) await look();
		const expected = [1, 2, 3].map((n) => n * everyMs);
		expect(times("GET agent/service/a")).toEqual(expected);
		expect(times("PUT agent/check/update")).toEqual(
			check.kind === "ttl" ? expected : [],
		);
	});

	test("counts as registered when clients can find it, or after two thirds of a second", async () => {
		const { agent, clock, registering, times } = await registered();
		agent.found = false;
		let over = false;
		void registering.then(() => {
			over = true;
		});
		const sought = (): number[] => times("GET catalog/service/a");
		for (const [n, ms] of [10, 20, 40, 80, 160].entries()) {
			await expect.poll(sought).toHaveLength(n + 1);
			await clock.advance(ms);
		}
		await expect.poll(sought).toEqual([0, 10, 30, 70, 150, 310]);
		expect(over).toBe(false);
		await clock.advance(320);
		await registering;
	});

	test("counts as registered at once if the token may not read the catalog", async () => {
		const { agent, registering, times } = await registered();
		agent.found = false;
		agent.headers = { "x-consul-results-filtered-by-acls": "true" };
		await registering;
		expect(times("GET catalog/service/a")).toEqual([0]);
	});

	test("reports each error once until the next success, and is checked more often meanwhile", async () => {
		const { agent, registering, look, errors, waits } = await registered();
		await registering;
		agent.failing = true;
		for (let n = 0; n < 6; n++) await look();
		expect(waits.map(Math.round)).toEqual([
			5000, 1000, 1600, 2560, 4096, 5000, 5000,
		]);
		expect(errors).toHaveLength(1);
		expect(errors[0]).toMatch("GET /v1/agent/service/a with status 500");
		agent.failing = false;
		await look();
		agent.failing = true;
		await look();
		expect(errors).toHaveLength(2);
		expect(waits.slice(-2)).toEqual([5000, 1000]);
	});

	test("is put into maintenance later if the agent could not be reached", async () => {
		const { agent, registering, look } = await registered();
		const registration = await registering;
		agent.failing = true;
		await expect(registration.setServing(false)).rejects.toThrow("status 500");
		agent.failing = false;
		await look();
		expect(agent.maintenance).toBe(true);
		await registration.setServing(true);
		expect(agent.maintenance).toBe(false);
	});

	test("is never healthy when it is registered again while in maintenance", async () => {
		const { agent, registering, look } = await registered();
		const registration = await registering;
		expect(agent.status).toBe("passing");
		await registration.setServing(false);
		agent.service = undefined;
		agent.maintenance = false;
		await look();
		expect(agent.maintenance).toBe(true);
		expect(agent.status).toBe("critical");
	});

	test("is in maintenance at once, even if the agent had forgotten it", async () => {
		const { agent, registering } = await registered();
		const registration = await registering;
		agent.service = undefined;
		await registration.setServing(false);
		expect(agent.service).toBeDefined();
		expect(agent.maintenance).toBe(true);
	});
});
