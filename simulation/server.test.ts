import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { type ServerModel, SimulatedServer } from "./server.ts";
import { VirtualTime } from "./virtual-time.ts";

const model: ServerModel = {
	workers: 2,
	queueLimit: 2,
	serviceMs: () => 10,
	patienceMs: Number.POSITIVE_INFINITY,
};

function server(changes: Partial<ServerModel> = {}) {
	const time = new VirtualTime();
	const answers: string[] = [];
	const made = new SimulatedServer(
		"10.0.0.1:50051",
		"zone",
		{ ...model, ...changes },
		time,
		() => 0.5,
	);
	const send = (name: string, cancelled = false): void =>
		made.receive({
			cancelled,
			answer: (code) => {
				const what = code === undefined ? "" : ` ${Code[code]}`;
				answers.push(`${name} at ${time.now()}${what}`);
			},
		});
	return { time, server: made, answers, send };
}

test("works on one request per worker, queues further ones, and refuses those beyond the queue limit", async () => {
	const { time, answers, send } = server();
	for (const name of ["a", "b", "c", "d", "e"]) send(name);
	await time.runUntil(100);
	expect(answers).toEqual([
		"e at 0 Unavailable",
		"a at 10",
		"b at 10",
		"c at 20",
		"d at 20",
	]);
});

test("does not start requests that were cancelled in the queue", async () => {
	const { time, answers, send } = server({ workers: 1 });
	send("a");
	send("b", true);
	send("c");
	await time.runUntil(100);
	expect(answers).toEqual(["a at 10", "c at 20"]);
});

test("answers requests that it finishes too late with UNAVAILABLE", async () => {
	const { time, answers, send } = server({ workers: 1, patienceMs: 15 });
	send("a");
	send("b");
	await time.runUntil(100);
	expect(answers).toEqual(["a at 10", "b at 20 Unavailable"]);
});

test("takes longer while its slowness is higher", async () => {
	const { time, server: one, answers, send } = server();
	one.slowness = 3;
	send("a");
	await time.runUntil(100);
	expect(answers).toEqual(["a at 30"]);
});

test("fails the given share of requests fast, without using a worker", async () => {
	const { time, server: one, answers, send } = server({ workers: 1 });
	send("a");
	one.failing = 0.6;
	send("b");
	one.failing = 0.4;
	send("c");
	await time.runUntil(100);
	expect(answers).toEqual(["b at 0.5 Unavailable", "a at 10", "c at 20"]);
});

test("loses all requests when it crashes", async () => {
	const { time, server: one, answers, send } = server({ workers: 1 });
	send("a");
	send("b");
	time.after(5, () => {
		one.crash();
		send("c");
	});
	await time.runUntil(100);
	expect(answers).toEqual(["c at 15"]);
});
