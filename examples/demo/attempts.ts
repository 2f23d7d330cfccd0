import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "homing";
import { Server } from "homing/server";
import {
	NewEchoServiceClient,
	RegisterEchoServiceServer,
} from "../../testdata/services/gen/echo/echo_rpc.ts";
import { part, say, show } from "./screen.ts";

type Echo = (mes: string) => Promise<{ resp: string }>;

/** One call makes several attempts: first by a retry policy, then by a hedging policy. */
export async function attempts(): Promise<void> {
	part("6. A call that is retried, and a call that is hedged");

	let calls = 0;
	await using flaky = await echoServer(async (mes) => {
		calls += 1;
		if (calls < 3) throw new ConnectError("busy", Code.Unavailable);
		return { resp: mes };
	});
	const told: string[] = [];
	await using retrying = NewEchoServiceClient(flaky.address, {
		methods: {
			echo: {
				retryPolicy: {
					maxAttempts: 4,
					initialBackoff: "0.05s",
					maxBackoff: "1s",
					backoffMultiplier: 2,
					retryableStatusCodes: ["UNAVAILABLE"],
				},
			},
		},
		hooks: {
			attemptEnd: (_, { number, code }) => {
				const how = code === undefined ? "ok" : Code[code].toLowerCase();
				told.push(`${number}: ${how}`);
			},
		},
	});
	await retrying.echo({ mes: "hello" });
	show("echo, by a server that is busy twice", told.join(", "));

	const slowly: Echo = async (mes) => {
		await sleep(1_000);
		return { resp: mes };
	};
	await using slow = await echoServer(slowly);
	await using fast = await echoServer(async (mes) => ({ resp: mes }));
	await using hedging = NewEchoServiceClient(
		`ipv4:${slow.address},${fast.address}`,
		{
			balancer: "round_robin",
			methods: {
				echo: { hedgingPolicy: { maxAttempts: 2, hedgingDelay: "0.05s" } },
			},
		},
	);
	let longest = 0;
	for (let n = 0; n < 4; n++) {
		const start = performance.now();
		await hedging.echo({ mes: "hello" });
		longest = Math.max(longest, performance.now() - start);
	}
	show(
		"echo, where one server of two takes 1 s",
		`${Math.round(longest)} ms at most`,
	);
	say(
		"After 50 ms, a second attempt went to the other server and answered first.",
	);
}

async function echoServer(
	echo: Echo,
): Promise<AsyncDisposable & { address: string }> {
	const server = new Server();
	RegisterEchoServiceServer(server, { echo: ({ mes }) => echo(mes) });
	const { address } = await server.listen("127.0.0.1:0");
	return {
		address,
		[Symbol.asyncDispose]: () => server.shutdown({ graceMs: 0 }),
	};
}
