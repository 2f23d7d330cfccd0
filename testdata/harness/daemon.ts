/** A real system that tests start, hang, kill and start again. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

export interface DaemonSetting {
	/** For messages. */
	readonly name: string;
	readonly program: string;
	readonly args: readonly string[];
	/** Whether it can be used; asked again until it can. */
	isReady(): Promise<boolean>;
}

const START_MS = 120_000;
/** From one question to the next. */
const PAUSE_MS = 20;
/** Of what it prints, for messages. */
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

	/** Resolves when it is ready; at once, if it runs. */
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
			// What answers in place of one that has exited is somebody else's.
			if (process.exitCode !== null || Date.now() > giveUp) {
				throw new Error(`${name} did not start:\n${this.#printed}`);
			}
			if (ready) return;
			await delay(PAUSE_MS);
		}
	}

	/** Ends it without a word. */
	async kill(): Promise<void> {
		const process = this.#process;
		this.#process = undefined;
		if (process === undefined || process.exitCode !== null) return;
		process.kill("SIGKILL");
		if (process.signalCode === null) await once(process, "exit");
	}

	/** It hangs from now on: it accepts connections, and answers nothing. */
	pause(): void {
		this.#process?.kill("SIGSTOP");
	}

	resume(): void {
		this.#process?.kill("SIGCONT");
	}
}
