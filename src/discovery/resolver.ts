import type { ServiceConfig } from "../policy/service-config.ts";

/** One server that can take calls. */
export interface Endpoint {
	/** "host:port" or "unix:path". A list holds several addresses at which the same server can be reached. */
	address: string | readonly string[];
	/** The endpoint's share of the calls, relative to the other endpoints'. 0 means no calls. Default: 1. */
	weight?: number | undefined;
	/** The zone in which the server runs, for channels with the option `localZone`. Default: none. */
	zone?: string | undefined;
	/** Further facts for balancers and hooks, by name. Default: none. */
	attributes?: Readonly<Record<string, string>> | undefined;
}

/** What a resolver found: the endpoints of a service, and what belongs to them. */
export interface Resolution {
	/** The endpoints of the service. May be empty. */
	endpoints: readonly Endpoint[];
	/** Why there are no endpoints. Calls fail with this error; the watch goes on. */
	reason?: Error | undefined;
	/** The service config that the discovery system holds. Default: that of the channel's options. */
	serviceConfig?: ServiceConfig | undefined;
}

/** Finds the endpoints of a service, and reports each change of them. */
export interface Resolver {
	/**
	 * Yields the endpoints whenever they have changed, until `context.signal` fires;
	 * it must end soon after that. If it throws, the channel watches again after a
	 * backoff. If it returns, the channel watches again at the next refresh. In both
	 * cases the previous endpoints stay in use meanwhile.
	 */
	watch(context: ResolveContext): AsyncIterable<Resolution>;
}

/** What a channel gives to the resolver that it watches. */
export interface ResolveContext {
	/** Fires when the channel no longer needs the endpoints. */
	readonly signal: AbortSignal;
	/** Resolves when the channel wants the endpoints resolved again, because a connection was lost. */
	refresh(): Promise<void>;
	/**
	 * Reports an error that does not end the watch, such as a broken file, to the
	 * hook `resolved`.
	 */
	report?(error: Error): void;
}
