import type { BalancerFactory } from "../../balancer/balancer.ts";
import {
	compileOutlierDetection,
	type OutlierDetectionOptions,
} from "../../balancer/outliers/outlier-detection-options.ts";
import { type BalancerName, balancerNames } from "../../balancer/policies.ts";
import type { Duration } from "../../checks/duration.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
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
} from "../../checks/option-table.ts";
import { parsePeriod } from "../../checks/period.ts";
import type { Resolver } from "../../discovery/resolver.ts";
import type { ParsedTarget } from "../../discovery/targets/parsed-target.ts";
import type { ServiceConfig } from "../../policy/service-config.ts";
import { type TlsOptions, tlsOptions } from "../../tls/tls-options.ts";
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

/** Whether the peer of a connection is still there, asked by PING (gRFC A8). */
export interface Keepalive {
	/**
	 * How long a connection is silent before a PING is sent: milliseconds, or "20s". At least 10 s; less counts as
	 * that.
	 */
	time: Duration;
	/** How long the peer has to answer a PING, before the connection ends: milliseconds, or "20s". Default: 20 s. */
	timeout?: Duration;
	/** Whether PINGs are also sent while no call is in flight. Default: false. */
	withoutCalls?: boolean;
}

/** How a channel finds, reaches and watches its endpoints. All are checked at construction. */
export interface ChannelOptions {
	/**
	 * TLS: true, with the certificate authorities of the platform; options as node:tls has them; or a function that
	 * returns them, which is asked again for each connection, with its address. Default: plaintext, unless the target
	 * says `https:` or its port is 443.
	 */
	tls?:
		| boolean
		| TlsOptions
		| ((address: string) => TlsOptions | Promise<TlsOptions>)
		| undefined;
	/**
	 * The `:authority` of calls, and the name that the server's certificate must have. Default: the host of the
	 * target, or the name of the service in discovery.
	 */
	authority?: string | undefined;
	/**
	 * Returns metadata for each attempt, a token for example; it is awaited within the deadline of the call. Refused
	 * over plaintext unless `insecureCredentials` is true. Default: none.
	 */
	credentials?:
		| ((call: CallInfo) => HeadersInit | Promise<HeadersInit>)
		| undefined;
	/** Whether `credentials` may go over plaintext, where everybody on the way can read them. Default: false. */
	insecureCredentials?: boolean | undefined;
	/** gRPC's service config, in its JSON spelling. It holds where that of the resolver says nothing. Default: none. */
	serviceConfig?: ServiceConfig | undefined;
	/**
	 * Which endpoint takes a call: "least_request", "round_robin", "pick_first", "ring_hash", or a function that makes
	 * a balancer of your own. A service config that lists balancers comes before a name, and can configure them.
	 * Default: "least_request".
	 */
	balancer?:
		| BalancerName
		// Any string will do for the compiler, but the names are what an editor completes.
		| (string & Record<never, never>)
		| BalancerFactory
		| undefined;
	/**
	 * Endpoints that fail get no calls for a while: when, and for how long. `false` switches it off, and pick_first
	 * takes no part. Default: on as soon as there are two endpoints, with the defaults of gRFC A50 and five failures
	 * in a row.
	 */
	outlierDetection?: OutlierDetectionOptions | false | undefined;
	/**
	 * Calls of a method go past an endpoint that fails half of them; where there is no other endpoint, they fail at
	 * once with UNAVAILABLE. `{}` switches it on. Default: off.
	 */
	circuitBreaker?: CircuitBreakerOptions | false | undefined;
	/**
	 * Asks by PING whether the peer of a silent connection is still there. A server that says `too_many_pings` doubles
	 * the time, for the whole channel. Default: off.
	 */
	keepalive?: Keepalive | undefined;
	/**
	 * How long it may take to connect to one address, from TCP to HTTP/2's SETTINGS: milliseconds, or "5s". Default: 5
	 * s.
	 */
	connectTimeout?: Duration | undefined;
	/**
	 * How long an endpoint that could not be connected to is left alone. Default: 1 s, then 1.6 times as long each
	 * time, at most 15 s.
	 */
	connectBackoff?: ConnectBackoff | undefined;
	/**
	 * The HTTP proxy that connections go through, by CONNECT: "http://user:password@host:port"; of a `dns:` target the proxy
	 * gets the name, and of others the addresses. false: none. Default: for targets that are a name and a port, but for
	 * localhost, what the environment has in `grpc_proxy`, `https_proxy` or `http_proxy`, with exceptions in
	 * `no_grpc_proxy` or `no_proxy`; it is read when the channel is made.
	 */
	proxy?: string | false | undefined;
	/**
	 * After this time without a call, a channel closes its connections and stops watching its endpoints; the next call
	 * starts both again: milliseconds, or "60s". Default: 30 min.
	 */
	idleTimeout?: Duration | undefined;
	/** The most attempts that any policy may give one call, with the first (gRFC A6). Default: 5. */
	maxAttempts?: number | undefined;
	/**
	 * The most bytes of requests that a channel keeps to send again, of all calls together; a call that finds no room
	 * is not retried. Default: 16 MiB.
	 */
	retryBufferBytes?: number | undefined;
	/** The most bytes of requests that are kept for one call; a call with more is not retried. Default: 256 KiB. */
	retryBufferBytesPerCall?: number | undefined;
	/** Compresses requests of 1 KiB and more. Compressed responses are always read. Default: no compression. */
	compression?: "gzip" | undefined;
	/**
	 * The most received messages of more than 64 KiB that are inflated at the same time, and the most sent ones that
	 * are deflated; more wait in order. Default: 8.
	 */
	maxInflations?: number | undefined;
	/**
	 * The most bytes that the messages being inflated may take together; a larger message goes by itself. Default: 64
	 * MiB.
	 */
	maxInflatingBytes?: number | undefined;
	/**
	 * The most connections to one endpoint. Another is made when those there are carry as many streams as the server
	 * allows (MAX_CONCURRENT_STREAMS). Default: 4.
	 */
	maxConnectionsPerEndpoint?: number | undefined;
	/**
	 * The most calls of the channel in flight at the same time, from start to end, streams included; more calls wait
	 * in a queue, within their deadlines. Default: no limit.
	 */
	maxConcurrentCalls?: number | undefined;
	/**
	 * The most calls that wait in the queue of `maxConcurrentCalls`; more fail at once with RESOURCE_EXHAUSTED. 0:
	 * none waits. Default: the same as `maxConcurrentCalls`, so that a burst of twice the limit is served, and the
	 * last one waits about as long as one call takes.
	 */
	maxQueuedCalls?: number | undefined;
	/**
	 * The zone of this client, "eu-1a" for example: calls prefer endpoints of the same `zone` while there are enough
	 * of them. Default: none, and all zones are equal.
	 */
	localZone?: string | undefined;
	/** Functions that hear of calls, attempts, what resolvers say and what becomes of endpoints. Default: none. */
	hooks?: ClientHooks | undefined;
	/** Text that goes before homing's own in the header `user-agent`. Default: none. */
	userAgent?: string | undefined;
	/** Resolvers for more schemes of targets: `{ nacos: (target) => resolver }`. Default: none. */
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
	throw new OptionError(
		where,
		`${shown(value)} is no balancer; give one of ${balancerNames().join(", ")}, or a function that makes one`,
	);
};

const headerText: Check<string> = (value, where) => {
	const string = text(value, where);
	if (/^[\x20-\x7e]+$/.test(string)) return string;
	throw new OptionError(
		where,
		`${shown(value)} cannot travel in a header; use printable ASCII`,
	);
};

/** RFC 3986 section 3.2, without userinfo (RFC 9113 section 8.3.1). */
const authority: Check<string> = (value, where) => {
	const string = headerText(value, where);
	if (/^[^\s/?#@\\]+$/.test(string)) return string;
	throw new OptionError(
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
