import type { BalancerFactory } from "../balancer/balancer.ts";
import {
	compileOutlierDetection,
	type OutlierDetectionOptions,
} from "../balancer/outlier-detection-options.ts";
import { balancerNames } from "../balancer/policies.ts";
import type { ParsedTarget } from "../discovery/parsed-target.ts";
import type { Resolver } from "../discovery/resolver.ts";
import type { Duration } from "../policy/duration.ts";
import {
	boolean,
	type Check,
	callable,
	integer,
	mapOf,
	type OptionTable,
	oneOf,
	optionsOf,
	record,
	text,
} from "../policy/option-table.ts";
import { parsePeriod } from "../policy/period.ts";
import { PolicyError, shown } from "../policy/policy-error.ts";
import type { ServiceConfig } from "../policy/service-config.ts";
import {
	type CircuitBreakerOptions,
	compileCircuitBreaker,
} from "./circuit-breaker-options.ts";
import {
	type ConnectBackoff,
	compileConnectBackoff,
} from "./connect-backoff.ts";
import type { CallInfo, ClientHooks } from "./hooks.ts";
import { proxyOption } from "./proxy.ts";
import { type TlsOptions, tlsOptions } from "./tls-options.ts";

/** Whether the peer of a connection is still there, asked by PING (gRFC A8). */
export interface Keepalive {
	/** Of silence, before a PING. At least 10 s: what is less counts as that. */
	time: Duration;
	/** What the peer has to answer; then the connection ends. 20 s. */
	timeout?: Duration;
	/** Also while no call is in flight. false. */
	withoutCalls?: boolean;
}

/** How a channel finds, reaches and watches its endpoints. All are checked at construction. */
export interface ChannelOptions {
	/** true: the platform's roots; options as node:tls has them; a function is asked again for each connection (reload), with its address. Default: plaintext, unless the target says `https:` or port 443. */
	tls?:
		| boolean
		| TlsOptions
		| ((address: string) => TlsOptions | Promise<TlsOptions>)
		| undefined;
	/** `:authority` and TLS server name. Default: the host of the target, or the service's name in discovery. */
	authority?: string | undefined;
	/** Metadata added to each attempt, e.g. a token; awaited within the deadline. Refused over plaintext unless `insecureCredentials`. */
	credentials?:
		| ((call: CallInfo) => HeadersInit | Promise<HeadersInit>)
		| undefined;
	/** Lets `credentials` go over plaintext, where whoever is on the way can read them. false. */
	insecureCredentials?: boolean | undefined;
	/** gRPC's default service config: holds in what the resolver's own says nothing of. */
	serviceConfig?: ServiceConfig | undefined;
	/**
	 * Which endpoint takes a call: "least_request" (the default), "round_robin", "pick_first", "ring_hash", or one of your
	 * own. A service config that lists balancers goes before a name, and can configure them.
	 */
	balancer?: string | BalancerFactory | undefined;
	/**
	 * Endpoints that fail get no calls for a while. On by default, with the defaults of gRFC A50 and five failures in a row,
	 * as soon as there are two endpoints; but pick_first, which sticks to one, takes no part.
	 */
	outlierDetection?: OutlierDetectionOptions | false | undefined;
	/**
	 * Calls of a method pass by an endpoint that fails half of them for a while, and where there is no other they fail at
	 * once with UNAVAILABLE. Off by default; `{}` switches it on.
	 */
	circuitBreaker?: CircuitBreakerOptions | false | undefined;
	/** Off unless set. A server that says `too_many_pings` doubles the time, for the whole channel. */
	keepalive?: Keepalive | undefined;
	/** Of one address, TCP to SETTINGS. 5 s. */
	connectTimeout?: Duration | undefined;
	/** How long an endpoint that could not be connected to is left alone. 1 s, then 1.6 times as long each time, at most 15 s. */
	connectBackoff?: ConnectBackoff | undefined;
	/**
	 * The HTTP proxy that connections go through, by CONNECT: "http://user:password@host:port"; of a `dns:` target the proxy
	 * gets the name, and of others the addresses. false: none. Default: for targets that are a name and a port, but for
	 * localhost, what the environment has in `grpc_proxy`, `https_proxy` or `http_proxy`, with exceptions in
	 * `no_grpc_proxy` or `no_proxy`; it is read when the channel is made.
	 */
	proxy?: string | false | undefined;
	/** Without a call for so long, a channel closes its connections and stops watching. 30 min. */
	idleTimeout?: Duration | undefined;
	/** No policy makes a call more attempts than so many, the first among them (gRFC A6). 5. */
	maxAttempts?: number | undefined;
	/** Of requests, in all, that are kept to be sent again; a call for which there is no room is not retried. 16 MiB. */
	retryBufferBytes?: number | undefined;
	/** The same of one call. 256 KiB. */
	retryBufferBytesPerCall?: number | undefined;
	/** Of requests of 1 KiB and more; responses are always accepted. */
	compression?: "gzip" | undefined;
	/** So many received messages of over 64 KiB are inflated at a time, and so many sent ones deflated; more wait in order. 8. */
	maxInflations?: number | undefined;
	/** What they may take, inflated, in bytes; a larger one goes by itself. 64 MiB. */
	maxInflatingBytes?: number | undefined;
	/** A further connection is made when the streams of those there are at the peer's MAX_CONCURRENT_STREAMS. 4. */
	maxConnectionsPerEndpoint?: number | undefined;
	/** Of the channel, from their start to their end, streams among them; more calls wait in a queue, within their deadlines. No limit by default. */
	maxConcurrentCalls?: number | undefined;
	/**
	 * So many calls wait for their turn; more fail at once with
	 * RESOURCE_EXHAUSTED. 0: none waits. Default: as many as
	 * `maxConcurrentCalls`, so that a burst of twice the limit is served, while
	 * the last in the queue waits no longer than about one call takes: a longer
	 * queue helps no caller, it only makes all of them late.
	 */
	maxQueuedCalls?: number | undefined;
	/** Where this client is: calls prefer endpoints of the same `zone` while there are enough of them. */
	localZone?: string | undefined;
	/** Told of calls, attempts, what resolvers say and what becomes of endpoints. */
	hooks?: ClientHooks | undefined;
	/** Goes before homing's own in `user-agent`. */
	userAgent?: string | undefined;
	/** Further target schemes: { nacos: (target) => resolver }. */
	resolvers?: Record<string, (target: ParsedTarget) => Resolver> | undefined;
}

const hooks: OptionTable<ClientHooks> = {
	callStart: callable,
	callEnd: callable,
	attemptStart: callable,
	attemptEnd: callable,
	retry: callable,
	resolved: callable,
	endpointState: callable,
	metadataDropped: callable,
};

const tls: Check = (value, where) =>
	typeof value === "boolean" || typeof value === "function"
		? value
		: tlsOptions(value, where);

const balancer: Check = (value, where) => {
	if (typeof value === "function") return value;
	if (typeof value === "string" && balancerNames().includes(value)) {
		return value;
	}
	throw new PolicyError(
		where,
		`${shown(value)} is no balancer; give one of ${balancerNames().join(", ")}, or a function that makes one`,
	);
};

const headerText: Check<string> = (value, where) => {
	const string = text(value, where);
	if (/^[\x20-\x7e]+$/.test(string)) return string;
	throw new PolicyError(
		where,
		`${shown(value)} cannot travel in a header; use printable ASCII`,
	);
};

/** RFC 3986 section 3.2, without userinfo (RFC 9113 section 8.3.1). */
const authority: Check<string> = (value, where) => {
	const string = headerText(value, where);
	if (/^[^\s/?#@\\]+$/.test(string)) return string;
	throw new PolicyError(
		where,
		`${shown(value)} is no authority; write a host, or host:port`,
	);
};

const keepalive: OptionTable<Keepalive> = {
	time: { required: parsePeriod },
	timeout: parsePeriod,
	withoutCalls: boolean,
};

/** One row an option of a channel. */
export const channelOptions: OptionTable<ChannelOptions> = {
	tls,
	authority,
	credentials: callable,
	insecureCredentials: boolean,
	// Read as a whole by parseServiceConfig.
	serviceConfig: record,
	balancer,
	outlierDetection: compileOutlierDetection,
	circuitBreaker: compileCircuitBreaker,
	keepalive: optionsOf(keepalive),
	connectTimeout: parsePeriod,
	proxy: proxyOption,
	connectBackoff: compileConnectBackoff,
	idleTimeout: parsePeriod,
	maxAttempts: integer(1),
	retryBufferBytes: integer(0),
	retryBufferBytesPerCall: integer(0),
	compression: oneOf("gzip"),
	maxInflations: integer(1),
	maxInflatingBytes: integer(1),
	maxConnectionsPerEndpoint: integer(1),
	maxConcurrentCalls: integer(1),
	maxQueuedCalls: integer(0),
	localZone: text,
	hooks: optionsOf(hooks),
	userAgent: headerText,
	resolvers: mapOf(callable),
};
