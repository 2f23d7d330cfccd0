import type { Clock, Timer } from "../../policy/clock.ts";

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

type Signal = NodeJS.Signals;

/** Marks listeners of homing's servers, those of another copy of homing, too. */
const ofServer: unique symbol = Symbol.for("homing.onSignal");

export interface OnSignalInit {
	readonly clock: Clock;
	/** How long `shutDown` may take, in milliseconds. */
	readonly withinMs: number;
	shutDown(): Promise<void>;
}

/**
 * Shuts down at the first SIGTERM or SIGINT. When that is done, or has taken too long, and at a second signal, the signal
 * does what it does by default: it ends the process. That is left to whoever else listens to the signal, if anyone does,
 * and to the last of several servers in one process. Returns a function that stops listening.
 */
export function onSignal({
	clock,
	withinMs,
	shutDown,
}: OnSignalInit): () => void {
	let timer: Timer;
	let begun = false;
	const stop = (): void => {
		for (const signal of SIGNALS) process.off(signal, heard);
		clock.cancel(timer);
	};
	const heard = (signal: Signal): void => {
		if (begun) {
			stop();
			if (process.listenerCount(signal) === 0) raise(signal);
			return;
		}
		begun = true;
		const theirs = process.listeners(signal).some((each) => !isOurs(each));
		let ended = false;
		const end = (): void => {
			if (ended) return;
			ended = true;
			stop();
			const last = !process.listeners(signal).some(isOurs);
			if (!theirs && last) raise(signal);
		};
		timer = clock.after(withinMs, end);
		// Later, so that whoever waits for the same shutdown hears of its end first.
		void shutDown().then(() => setImmediate(end));
	};
	Object.assign(heard, { [ofServer]: true });
	// First, so as to see those who listen only once.
	for (const signal of SIGNALS) process.prependListener(signal, heard);
	return () => {
		// While a signal waits for the shutdown, listening ends with it.
		if (!begun) stop();
	};
}

function isOurs(listener: object): boolean {
	return ofServer in listener;
}

function raise(signal: Signal): void {
	process.kill(process.pid, signal);
}
