import type { Clock, Timer } from "../../policy/clock.ts";

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

type Signal = NodeJS.Signals;

/** Marks the signal listeners of homing's servers, also those of another copy of homing in the process. */
const ofServer: unique symbol = Symbol.for("homing.onSignal");

export interface OnSignalInit {
	readonly clock: Clock;
	/** How long `shutDown` may take, in milliseconds. Then the signal ends the process. */
	readonly withinMs: number;
	shutDown(): Promise<void>;
}

/**
 * Shuts down at the first SIGTERM or SIGINT. Afterwards, or if that takes too long, or at a second signal, the signal is
 * raised again without a listener, so that it ends the process. If the program has other listeners for the signal, that is
 * left to them; with several servers in one process, the last one does it. Returns a function that stops listening.
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
		// Later, so that others who wait for the same shutdown hear of its end first.
		void shutDown().then(() => setImmediate(end));
	};
	Object.assign(heard, { [ofServer]: true });
	// Prepended: `once` listeners of others are still there when ours is called.
	for (const signal of SIGNALS) process.prependListener(signal, heard);
	return () => {
		// Once a signal has begun a shutdown, listening ends with that.
		if (!begun) stop();
	};
}

function isOurs(listener: object): boolean {
	return ofServer in listener;
}

function raise(signal: Signal): void {
	process.kill(process.pid, signal);
}
