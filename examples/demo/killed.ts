import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { NewEchoServiceClient } from "../../testdata/services/gen/echo/echo_rpc.ts";
import { part, say, show } from "./screen.ts";

const CALLERS = 24;
const RUN_MS = 1_500;

/** A server process is killed under load. */
export async function killed(): Promise<void> {
	part("7. A server killed under load");
	const servers = await Promise.all([1, 2, 3].map(startServer));
	const [victim] = servers as [Started, Started, Started];
	try {
		await using echo = NewEchoServiceClient(
			`ipv4:${servers.map(({ address }) => address).join()}`,
			{
				methods: {
					// This policy allows homing to send an echo more than once.
					echo: {
						retryPolicy: {
							maxAttempts: 3,
							initialBackoff: "0.01s",
							maxBackoff: "0.1s",
							backoffMultiplier: 2,
							retryableStatusCodes: ["UNAVAILABLE"],
						},
					},
				},
				hooks: { attemptEnd: (_, { code }) => void (code && lost++) },
			},
		);
		let lost = 0;
		let failed = 0;
		const by = new Map<string, number>();
		const end = performance.now() + RUN_MS;
		const callUntilEnd = async (): Promise<void> => {
			while (performance.now() < end) {
				await echo.echo({ mes: "who?" }).then(
					({ resp }) => by.set(resp, (by.get(resp) ?? 0) + 1),
					() => failed++,
				);
				await sleep(1);
			}
		};
		const load = Promise.all(Array.from({ length: CALLERS }, callUntilEnd));
		await sleep(RUN_MS / 2);
		process.kill(victim.process.pid as number, "SIGKILL");
		await load;

		const calls = [...by.values()].reduce((sum, count) => sum + count, failed);
		show("calls, and servers that answered them", `${calls}, ${by.size}`);
		show("attempts lost with the server", String(lost));
		show("calls that failed", String(failed));
		say(
			"The attempts in flight there were retried on other servers, as the policy allows.",
		);
	} finally {
		for (const { process } of servers) process.kill("SIGKILL");
	}
}

interface Started {
	readonly process: ChildProcess;
	readonly address: string;
}

async function startServer(): Promise<Started> {
	const process = fork(
		fileURLToPath(new URL("echo-process.ts", import.meta.url)),
	);
	const [address] = await once(process, "message");
	return { process, address };
}
