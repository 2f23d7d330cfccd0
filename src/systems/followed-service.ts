import {
	type ResolveResult,
	type ResolveTurn,
	resolveLoop,
} from "../discovery/resolve-loop.ts";
import type { Resolution } from "../discovery/resolver.ts";
import type { Clock } from "../policy/clock.ts";

/** A service whose changes a discovery system reports by itself (a long poll or a watch). */
export interface FollowedService {
	/** Starts to follow the service. Resolves when its first state is known; rejects if the system does not answer. */
	start(): Promise<unknown>;
	/** Returns the state that is known now. */
	resolve(turn: ResolveTurn): ResolveResult | Promise<ResolveResult>;
	/** Subscribes a listener for changes. Returns a function that stops following the service. */
	onChange(changed: () => void): () => void;
	/** Called to wait for the loss of a connection to an endpoint, after which the service may have moved. */
	connectionLost(): Promise<void>;
}

/** The least time between two resolutions. Of many quick changes, the channel sees only the result. */
const MIN_MS = 100;

/** Yields the states of a followed service, as the `watch` of a resolver. */
export function resolutionsOf(
	service: FollowedService,
	signal: AbortSignal,
	clock: Clock | undefined,
): AsyncIterable<Resolution> {
	let start: Promise<unknown> | undefined;
	let started = false;
	return resolveLoop(
		{ signal, refresh: () => service.connectionLost() },
		{
			everyMs: Number.POSITIVE_INFINITY,
			minMs: MIN_MS,
			wake: (changed) =>
				service.onChange(() => {
					// The first state itself is not a change.
					if (started) changed();
				}),
			clock,
		},
		async (turn) => {
			start ??= service.start();
			await start;
			started = true;
			return service.resolve(turn);
		},
	);
}
