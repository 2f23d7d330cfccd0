/** A real system that tests can start, stop, kill and start again. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

export interface DaemonSetting {
	/** Its name in error messages. */
	readonly name: string;
	readonly program: string;
	readonly args: readonly string[];
	/** Whether it is ready. Called repeatedly until it is. */
	isReady(): Promise<boolean>;
}

const START_MS = 120_000;
/** The time between two calls of `isReady`. */
const PAUSE_MS = 20;
/** How much of its output is kept for error messages. */
const KEPT_CHARACTERS = 8000;

export class Daemon {
	readonly #setting: DaemonSetting;
	#process: ChildProcess | undefined;
	#printed = "";

	constructor(setting: DaemonSetting) {
		this.#setting = setting;
	}

	get isRunning(): boolean {
		return this.#process !== undefined;
	}

	/** Starts it unless it runs. Resolves when it is ready. */
	async start(): Promise<void> {
		if (this.isRunning) return;
		const { name, program, args, isReady } = this.#setting;
		const process = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
		this.#process = process;
		for (const stream of [process.stdout, process.stderr]) {
			stream.on("data", (text) => {
				this.#printed = (this.#printed + text).slice(-KEPT_CHARACTERS);
			});
		}
		const giveUp = Date.now() + START_MS;
		for (;;) {
			const ready = await isReady();
			// If it has exited, whatever answers on its port is another process.
			if (process.exitCode !== null || Date.now() > giveUp) {
				throw new Error(`${name} did not start:\n${this.#printed}`);
			}
			if (ready) return;
			await delay(PAUSE_MS);
		}
	}

	/** Kills it. */
	async kill(): Promise<void> {
		const process = this.#process;
		this.#process = undefined;
		if (process === undefined || process.exitCode !== null) return;
		process.kill("SIGKILL");
		if (process.signalCode === null) await once(process, "exit");
	}

	/** Stops it (SIGSTOP): it accepts connections, but answers nothing. */
	pause(): void {
		this.#process?.kill("SIGSTOP");
	}

	resume(): void {
		this.#process?.kill("SIGCONT");
	}
}
