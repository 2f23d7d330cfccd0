import type { ServiceConfig } from "../policy/service-config.ts";

/** One server that can take calls. */
export interface Endpoint {
	/** "host:port", "unix:path"; several for one endpoint reachable in several ways. */
	address: string | readonly string[];
	/** Its share of the calls, relative to the others'; 1 when absent. */
	weight?: number | undefined;
	zone?: string | undefined;
	attributes?: Readonly<Record<string, string>> | undefined;
}

/** The state of the world, as a resolver sees it. */
export interface Resolution {
	endpoints: readonly Endpoint[];
	/** Why there are no endpoints, for the calls that then fail; the watch goes on. */
	reason?: Error | undefined;
	serviceConfig?: ServiceConfig | undefined;
}

/** Says where a service is, and says it again whenever that changes. */
export interface Resolver {
	/**
	 * Yields each new state of the world. Throwing makes the channel back off and
	 * watch again; returning keeps the last state, until a refresh. The previous
	 * endpoints stay meanwhile. Ends soon after `context.signal` fires.
	 */
	watch(context: ResolveContext): AsyncIterable<Resolution>;
}

/** What a channel lends the resolver that it watches. */
export interface ResolveContext {
	readonly signal: AbortSignal;
	/** Resolves when the channel would like to know again (a connection was lost). */
	refresh(): Promise<void>;
	/**
	 * Takes an error that the resolver survives with what it has (a broken file,
	 * say), so that it reaches the hooks.
	 */
	report?(error: Error): void;
}
