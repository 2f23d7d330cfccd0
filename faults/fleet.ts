import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Behaviour, Told } from "./server-process.ts";

const PROGRAM = new URL("server-process.ts", import.meta.url);

/** A server in its own process. */
export class ServerProcess implements AsyncDisposable {
	#process: ChildProcess;
	#port: number;

	private constructor(process: ChildProcess, port: number) {
		this.#process = process;
		this.#port = port;
	}

	static async start(behaviour: Behaviour = "good"): Promise<ServerProcess> {
		const { process, port } = await launch(behaviour, 0);
		return new ServerProcess(process, port);
	}

	get address(): string {
		return `127.0.0.1:${this.#port}`;
	}

	tell(told: Told): void {
		this.#process.send(told);
	}

	signal(signal: NodeJS.Signals): void {
		this.#process.kill(signal);
	}

	/** Sends a signal and waits until the process has ended. */
	async end(signal: NodeJS.Signals): Promise<void> {
		if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
			return;
		}
		const ended = once(this.#process, "exit");
		this.#process.kill(signal);
		await ended;
	}

	/** Starts a new process at the same address. */
	async startAgain(behaviour: Behaviour = "good"): Promise<void> {
		this.#process = (await launch(behaviour, this.#port)).process;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		// A process stopped by SIGSTOP reacts to no other signal.
		await this.end("SIGKILL");
	}
}

async function launch(
	behaviour: Behaviour,
	at: number,
): Promise<{ process: ChildProcess; port: number }> {
	const process = fork(PROGRAM, [behaviour, String(at)], {
		stdio: ["ignore", "inherit", "inherit", "ipc"],
		execArgv: [],
	});
	const [message] = await Promise.race([
		once(process, "message"),
		once(process, "exit").then(([code]) => {
			throw new Error(`a server process ended with ${code} before it listened`);
		}),
	]);
	return { process, port: (message as { port: number }).port };
}
