import { type Look, lookAgain, type Sight } from "../discovery/resolve-loop.ts";
import type { Resolution } from "../discovery/resolver.ts";
import type { Clock } from "../policy/clock.ts";

/** A service that a system tells of by itself, followed for as long as somebody watches it. */
export interface FollowedService {
	/** Begins to follow it, and resolves when something is known of it. Rejects when the system does not tell. */
	start(): Promise<unknown>;
	/** What is known of it. */
	look(look: Look): Sight | Promise<Sight>;
	/** Takes what to call whenever there is news; returns what ends it all. */
	onChange(changed: () => void): () => void;
	/** Resolves when the channel has lost a connection to an endpoint: the service may have moved. */
	connectionLost(): Promise<void>;
}

/** From one state to the next at least: of many changes in a row, the channel sees where they have led. */
const MIN_MS = 100;

/** The states of a service, as a resolver yields them. */
export function statesOf(
	service: FollowedService,
	signal: AbortSignal,
	clock: Clock | undefined,
): AsyncIterable<Resolution> {
	let start: Promise<unknown> | undefined;
	let started = false;
	return lookAgain(
		{ signal, refresh: () => service.connectionLost() },
		{
			everyMs: Number.POSITIVE_INFINITY,
			minMs: MIN_MS,
			wake: (changed) =>
				service.onChange(() => {
					// What it starts with is no reason to look again.
					if (started) changed();
				}),
			clock,
		},
		async (look) => {
			start ??= service.start();
			await start;
			started = true;
			return service.look(look);
		},
	);
}
