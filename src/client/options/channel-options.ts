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

/**
 * Detects a dead peer by sending HTTP/2 PING frames on its connection (gRFC A8). Use it when calls or streams may be
 * quiet for minutes, or when a proxy or NAT on the way forgets idle connections.
 */
export interface Keepalive {
	/**
	 * How long nothing has been received on a connection before a PING is sent: milliseconds, or "20s". Values below
	 * 10 s are raised to 10 s. Servers may refuse PINGs that come too often; grpc-go, for example, wants at least 5
	 * minutes between them unless it is configured otherwise.
	 */
	time: Duration;
	/**
	 * How long the peer may take to answer a PING before the connection is closed: milliseconds, or "20s". Default:
	 * 20 s.
	 */
	timeout?: Duration;
	/** Whether PINGs are also sent while no call is in flight. Default: false. */
	withoutCalls?: boolean;
}

/**
 * Options of a channel: how it finds, connects to and watches its endpoints, and what its calls may use. All are
 * checked when the channel is made: an unknown option or a bad value throws an OptionError that names it.
 */
export interface ChannelOptions {
	/**
	 * TLS to the servers. `true` trusts the certificate authorities of the platform. An object holds options of
	 * `node:tls`, such as `ca`, `cert` and `key`. A function returns such an object and is called for each new
	 * connection with its address, so that certificates can be renewed. Default: plaintext, or `true` if the target
	 * starts with `https:` or its port is 443.
	 */
	tls?:
		| boolean
		| TlsOptions
		| ((address: string) => TlsOptions | Promise<TlsOptions>)
		| undefined;
	/**
	 * The `:authority` header of calls, which is also the name that the server's certificate must be valid for.
	 * Default: the host of the target, or the name of the service when it is found by discovery.
	 */
	authority?: string | undefined;
	/**
	 * Returns metadata to add to each attempt, for example a bearer token. A promise is awaited within the deadline of
	 * the call. If the function throws, the attempt fails with UNAUTHENTICATED. A channel over plaintext throws when it
	 * is made with this option, unless `insecureCredentials` is true. Default: none.
	 */
	credentials?:
		| ((call: CallInfo) => HeadersInit | Promise<HeadersInit>)
		| undefined;
	/**
	 * Whether `credentials` may be sent over plaintext, where anybody on the network can read them. Use it only in a
	 * network that you trust, such as a service mesh. Default: false.
	 */
	insecureCredentials?: boolean | undefined;
	/**
	 * gRPC's service config, in its JSON form: policies for methods, balancer, retry throttling and health checking.
	 * It applies where the service config of the resolver says nothing. Default: none.
	 */
	serviceConfig?: ServiceConfig | undefined;
	/**
	 * The load balancing policy, which chooses the endpoint for each call: "least_request", "round_robin",
	 * "pick_first", "ring_hash", or a function that makes a balancer of your own. If a service config lists balancers,
	 * that list is used instead of a name given here. Default: "least_request".
	 */
	balancer?:
		| BalancerName
		// Any string compiles; the names are listed so that editors complete them.
		| (string & Record<never, never>)
		| BalancerFactory
		| undefined;
	/**
	 * Outlier detection: an endpoint whose calls fail too often gets no calls for a while. `false` switches it off.
	 * The balancer "pick_first" does not use it. Default: on when there are two endpoints or more, with the defaults of
	 * gRFC A50, and ejection after five failures in a row.
	 */
	outlierDetection?: OutlierDetectionOptions | false | undefined;
	/**
	 * Circuit breakers, one for each method at each endpoint. While a breaker is open, calls of the method go to other
	 * endpoints; if there are none, they fail at once with UNAVAILABLE. `{}` switches breakers on with their defaults.
	 * Default: off.
	 */
	circuitBreaker?: CircuitBreakerOptions | false | undefined;
	/**
	 * Detects dead peers with HTTP/2 PING frames. If a server answers with GOAWAY and `too_many_pings`, the channel
	 * doubles the time between PINGs. Without this option, only connections with calls in flight are checked: with a
	 * PING after a second of silence. Default: off.
	 */
	keepalive?: Keepalive | undefined;
	/**
	 * The time limit for connecting to one address, from the TCP connect to the peer's HTTP/2 SETTINGS frame:
	 * milliseconds, or "5s". Default: 5 s.
	 */
	connectTimeout?: Duration | undefined;
	/**
	 * How long to wait before connecting again to an endpoint after a failure. Default: 1 s after the first failure,
	 * 1.6 times longer after each further one, up to 15 s.
	 */
	connectBackoff?: ConnectBackoff | undefined;
	/**
	 * The HTTP proxy for connections, which must support CONNECT: "http://user:password@host:port". The proxy resolves
	 * the names of `dns:` targets; for other targets it gets IP addresses. `false` uses no proxy. Default: the proxy in
	 * the environment variable `grpc_proxy`, `https_proxy` or `http_proxy`, read when the channel is made. It is used
	 * for targets that are a host name and a port, except localhost and the names listed in `no_grpc_proxy` or
	 * `no_proxy`.
	 */
	proxy?: string | false | undefined;
	/**
	 * How long a channel may be without calls before it closes its connections and stops its resolver: milliseconds,
	 * or "60s". The next call starts both again. Default: 30 min.
	 */
	idleTimeout?: Duration | undefined;
	/**
	 * Upper limit for the `maxAttempts` of every retry and hedging policy, counting the first attempt (gRFC A6). Raise
	 * it to allow a policy more than 5 attempts. Default: 5.
	 */
	maxAttempts?: number | undefined;
	/**
	 * Bytes of requests that a channel may buffer for retries, for all its calls together. A call that does not fit
	 * goes on, but is not retried. Default: 16 MiB.
	 */
	retryBufferBytes?: number | undefined;
	/**
	 * Bytes of requests that one call may buffer for retries. A call that sends more goes on, but is not retried.
	 * Default: 256 KiB.
	 */
	retryBufferBytesPerCall?: number | undefined;
	/**
	 * How to compress request messages of 1 KiB or more: "gzip". Compressed responses are always accepted. Default: no
	 * compression.
	 */
	compression?: "gzip" | undefined;
	/**
	 * How many messages larger than 64 KiB the channel may decompress at the same time on other threads, and likewise
	 * compress. Further messages wait in order. Default: 8.
	 */
	maxInflations?: number | undefined;
	/**
	 * Bytes that the messages being decompressed at the same time may take together. A message larger than this is
	 * decompressed alone. Default: 64 MiB.
	 */
	maxInflatingBytes?: number | undefined;
	/**
	 * How many connections the channel may open to one endpoint. It opens another when all of them carry as many
	 * streams as the server allows (SETTINGS_MAX_CONCURRENT_STREAMS). Default: 4.
	 */
	maxConnectionsPerEndpoint?: number | undefined;
	/**
	 * How many calls of the channel, streams included, may be in flight at the same time. Further calls wait in a
	 * queue until their deadlines. Default: no limit.
	 */
	maxConcurrentCalls?: number | undefined;
	/**
	 * How many calls may wait in the queue of `maxConcurrentCalls`. Further calls fail at once with
	 * RESOURCE_EXHAUSTED; with 0, no call waits. Default: the value of `maxConcurrentCalls`. A burst of twice the limit
	 * is then served, and the last call in the queue waits for about the duration of one call.
	 */
	maxQueuedCalls?: number | undefined;
	/**
	 * The zone of this client, for example "eu-1a". Calls prefer endpoints with the same `zone` as long as there are
	 * enough of them. Default: none, which treats all zones alike.
	 */
	localZone?: string | undefined;
	/**
	 * Functions to call when calls and attempts start and end, when a resolver yields, and when the state of an
	 * endpoint changes. Use them for metrics and logs. Default: none.
	 */
	hooks?: ClientHooks | undefined;
	/**
	 * Text to put before homing's own in the `user-agent` header, for example "payment/1.4". Printable ASCII. Default:
	 * none.
	 */
	userAgent?: string | undefined;
	/**
	 * Resolvers for further target schemes: `{ nacos: (target) => resolver }` makes targets like "nacos:///orders"
	 * work. Default: none.
	 */
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
		`${shown(value)} cannot be sent in a header; use printable ASCII`,
	);
};

/** An authority as RFC 3986 section 3.2 has it, without userinfo (RFC 9113 section 8.3.1). */
const authority: Check<string> = (value, where) => {
	const string = headerText(value, where);
	if (/^[^\s/?#@\\]+$/.test(string)) return string;
	throw new OptionError(
		where,
		`${shown(value)} is not an authority; write a host, or host:port`,
	);
};

const keepalive: OptionTable<Keepalive> = {
	time: { required: parsePeriod },
	timeout: parsePeriod,
	withoutCalls: boolean,
};

/** The options of a channel, each with its check. */
export const channelOptions: OptionTable<ChannelOptions> = {
	tls,
	authority,
	credentials: callable,
	insecureCredentials: boolean,
	// `parseServiceConfig` checks what is in it.
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
