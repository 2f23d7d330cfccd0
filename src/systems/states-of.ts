import { type Look, lookAgain, type Sight } from "../discovery/look-again.ts";
import type { Resolution } from "../discovery/resolver.ts";
import type { Clock } from "../policy/clock.ts";

/** A service that a system tells of by itself, followed for as long as somebody watches it. */
export interface FollowedService {
	/** What is known of it; at first, as soon as that is something. Rejects when the system does not tell. */
	look(look: Look): Promise<Sight>;
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
	return lookAgain(
		{ signal, refresh: () => service.connectionLost() },
		{
			everyMs: Number.POSITIVE_INFINITY,
			minMs: MIN_MS,
			wake: (changed) => service.onChange(changed),
			clock,
		},
		(look) => service.look(look),
	);
}
