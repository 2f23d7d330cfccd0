const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/**
 * Calls `shutDown` at the first SIGTERM or SIGINT, and leaves further ones to whoever else listens, or to Node, which
 * ends the process. Returns a function that stops listening.
 */
export function onSignal(shutDown: () => void): () => void {
	const stop = (): void => {
		for (const signal of SIGNALS) process.off(signal, heard);
	};
	const heard = (): void => {
		stop();
		shutDown();
	};
	for (const signal of SIGNALS) process.on(signal, heard);
	return stop;
}
