import type { BalancerFactory } from "../../balancer/balancer.ts";
import {
	type CompiledOutlierDetection,
	compileOutlierDetection,
} from "../../balancer/outliers/outlier-detection-options.ts";
import { parseDuration } from "../../checks/duration.ts";
import { OptionError, shown } from "../../checks/option-error.ts";
import { checkOptions } from "../../checks/option-table.ts";
import type { Resolver } from "../../discovery/resolver.ts";
import { staticResolver } from "../../discovery/static.ts";
import { formatHostPort } from "../../discovery/targets/host-port.ts";
import type { ParsedTarget } from "../../discovery/targets/parsed-target.ts";
import { parseTarget } from "../../discovery/targets/target.ts";
import type { BackoffPace } from "../../policy/backoff.ts";
import { type Clock, systemClock } from "../../policy/clock.ts";
import {
	type CompiledServiceConfig,
	parseServiceConfig,
} from "../../policy/service-config.ts";
import { secureContext } from "../../tls/secure-context.ts";
import type { TlsSource } from "../../tls/tls-options.ts";
import { VERSION } from "../../version.ts";
import type { GzipLimits } from "../../wire/gzip/gzip-turns.ts";
import {
	type Connect,
	connectOver,
	connectWithin,
} from "../endpoint/connect.ts";
import { dialPlaintext, idleDialer, tlsDialer } from "../endpoint/dial.ts";
import { DialQueue } from "../endpoint/dial-queue.ts";
import { KeepalivePace } from "../endpoint/keepalive.ts";
import { dialThrough } from "../endpoint/proxy-dial.ts";
import {
	type ChannelOptions,
	channelOptions,
} from "../options/channel-options.ts";
import {
	type CompiledCircuitBreaker,
	compileCircuitBreaker,
} from "../options/circuit-breaker-options.ts";
import { compileConnectBackoff } from "../options/connect-backoff.ts";
import { debuggedHooks } from "../options/debug-hooks.ts";
import { guardedHooks } from "../options/guarded-hooks.ts";
import type { ClientHooks } from "../options/hooks.ts";
import {
	chooseProxy,
	type HttpProxy,
	type Variables,
} from "../options/proxy.ts";
import { callLimitOf } from "./call-limit.ts";
import { chooseBalancer } from "./choose-balancer.ts";
import { resolverOfTarget } from "./resolver-of-target.ts";

/** The checked target and options of a channel, with the defaults filled in. */
export interface ChannelSetting {
	/** The target, for error messages. */
	readonly name: string;
	readonly resolver: Resolver;
	readonly scheme: "http" | "https";
	readonly authority: string;
	readonly userAgent: string;
	/** Connects with the TLS options and the connect timeout of the channel. */
	readonly connect: Connect;
	/** Limits how many connections are made at the same time. */
	readonly dials: DialQueue;
	readonly connectBackoff: BackoffPace;
	readonly clock: Clock;
	readonly random: () => number;
	readonly idleTimeoutMs: number;
	/** Undefined if keepalive is off. */
	readonly silenceMs: number;
	readonly keepalive: KeepalivePace | undefined;
	readonly maxConnectionsPerEndpoint: number;
	readonly outlierDetection: CompiledOutlierDetection | undefined;
	readonly circuitBreaker: CompiledCircuitBreaker | undefined;
	readonly maxConcurrentCalls: number | undefined;
	readonly maxQueuedCalls: number | undefined;
	readonly localZone: string | undefined;
	/** The upper limit for the attempts of a policy. */
	readonly maxAttempts: number;
	readonly retryBufferBytes: number;
	readonly retryBufferBytesPerCall: number;
	/** The option `balancer`, which `chooseBalancer` interprets. */
	readonly balancer: string | BalancerFactory | undefined;
	readonly serviceConfig: CompiledServiceConfig | undefined;
	readonly credentials: ChannelOptions["credentials"];
	readonly compression: "gzip" | undefined;
	readonly gzipLimits: GzipLimits;
	readonly hooks: ClientHooks;
}

/** The clock, randomness and network, which tests replace. */
export interface Environment {
	readonly clock: Clock;
	/** Returns a random number of at least 0 and less than 1. */
	readonly random: () => number;
	/** Connects instead of opening sockets. The connect timeout still applies. */
	readonly connect?: Connect;
	/** How long a connection with waiting calls may be silent before a PING is sent, in milliseconds. Default: 1 s. */
	readonly silenceMs?: number;
	/** Whether the process may end while calls of the channel are in flight. */
	readonly idle?: true;
	/** The environment variables that name proxies. Default: those of the process, or none if `connect` is given. */
	readonly variables?: Variables;
}

const realEnvironment: Environment = {
	clock: systemClock,
	random: Math.random,
};

/** For channels over which homing makes calls of its own. */
export const idleEnvironment: Environment = {
	...realEnvironment,
	clock: { ...systemClock, after: systemClock.afterIdle },
	idle: true,
};

/**
 * Checks the target and the options of a channel, and fills in the defaults.
 *
 * @throws OptionError that names the bad target or option
 */
export function settleChannel(
	target: string | Resolver,
	options: ChannelOptions,
	environment: Environment = realEnvironment,
): ChannelSetting {
	checkOptions(options, channelOptions);
	const found = findTarget(target, options, variablesOf(environment));
	const tls = tlsOf(options.tls ?? found.tls);
	if (
		options.credentials !== undefined &&
		tls === undefined &&
		options.insecureCredentials !== true
	) {
		throw new OptionError(
			"credentials",
			"would travel over plaintext; set `tls`, or `insecureCredentials: true` if the network is safe",
		);
	}
	const serviceConfig =
		options.serviceConfig &&
		parseServiceConfig(options.serviceConfig, "serviceConfig");
	const { proxy } = found;
	const under = proxy && dialThrough(proxy);
	const dial =
		tls === undefined
			? (under ?? dialPlaintext)
			: tlsDialer(tls, nameOf(options.authority) ?? found.serverName, under);
	const connect =
		environment.connect ??
		connectOver(environment.idle ? idleDialer(dial) : dial);
	chooseBalancer(options.balancer, serviceConfig ? [serviceConfig] : []);
	callLimitOf(options);
	return {
		...environment,
		name: found.name,
		resolver: found.resolver,
		scheme: tls === undefined ? "http" : "https",
		authority: options.authority ?? found.authority,
		userAgent:
			options.userAgent === undefined
				? `homing/${VERSION}`
				: `${options.userAgent} homing/${VERSION}`,
		dials: new DialQueue(environment.clock),
		connect: connectWithin(
			parseDuration(options.connectTimeout ?? "5s", "connectTimeout"),
			connect,
			environment.clock,
			proxy && ` through the proxy ${proxy.name}`,
			tls && "to accept the connection and answer the TLS handshake",
		),
		connectBackoff: compileConnectBackoff(options.connectBackoff),
		idleTimeoutMs: parseDuration(options.idleTimeout ?? "1800s", "idleTimeout"),
		silenceMs: environment.silenceMs ?? 1000,
		keepalive: options.keepalive && new KeepalivePace(options.keepalive),
		maxConnectionsPerEndpoint: options.maxConnectionsPerEndpoint ?? 4,
		outlierDetection: compileOutlierDetection(
			options.outlierDetection,
			"outlierDetection",
		),
		circuitBreaker: compileCircuitBreaker(
			options.circuitBreaker,
			"circuitBreaker",
		),
		maxConcurrentCalls: options.maxConcurrentCalls,
		maxQueuedCalls: options.maxQueuedCalls,
		localZone: options.localZone,
		maxAttempts: options.maxAttempts ?? 5,
		retryBufferBytes: options.retryBufferBytes ?? 16 * 1024 * 1024,
		retryBufferBytesPerCall: options.retryBufferBytesPerCall ?? 256 * 1024,
		balancer: options.balancer,
		serviceConfig,
		credentials: options.credentials,
		gzipLimits: {
			maxInflations: options.maxInflations,
			maxInflatingBytes: options.maxInflatingBytes,
		},
		compression: options.compression,
		hooks: debuggedHooks(found.name, guardedHooks(options.hooks ?? {})),
	};
}

function variablesOf({ variables, connect }: Environment): Variables {
	return variables ?? (connect === undefined ? process.env : {});
}

function findTarget(
	target: string | Resolver,
	options: ChannelOptions,
	variables: Variables,
): {
	name: string;
	resolver: Resolver;
	authority: string;
	serverName: string;
	tls: boolean;
	proxy: HttpProxy | undefined;
} {
	if (typeof target !== "string") {
		if (!isResolver(target)) {
			throw new OptionError(
				"target",
				`${shown(target)} is neither a target like "localhost:50051" nor a Resolver, an object with a method \`watch\``,
			);
		}
		return {
			name: "the resolver",
			resolver: target,
			authority: "localhost",
			serverName: "localhost",
			tls: false,
			proxy: chooseProxy(options.proxy, undefined, variables),
		};
	}
	const resolvers = options.resolvers ?? {};
	const read = parseTarget(target, Object.keys(resolvers));
	const { source } = read;
	const proxy = chooseProxy(options.proxy, source, variables);
	return {
		name: read.name,
		resolver:
			source === undefined
				? ownResolver(resolvers, read.parsed)
				: proxy !== undefined && source.kind === "dns"
					? staticResolver([formatHostPort(source)])
					: resolverOfTarget(source),
		authority: read.defaultAuthority,
		serverName: read.serverName,
		tls: read.tls,
		proxy,
	};
}

/** Finds a custom resolver. Upper and lower case in schemes are equal. */
function ownResolver(
	resolvers: NonNullable<ChannelOptions["resolvers"]>,
	parsed: ParsedTarget,
): Resolver {
	const [name, make] = Object.entries(resolvers).find(
		([name]) => name.toLowerCase() === parsed.scheme,
	) as [string, (target: ParsedTarget) => Resolver];
	const resolver = make(parsed);
	if (isResolver(resolver)) return resolver;
	throw new OptionError(
		`resolvers.${name}`,
		`made ${shown(resolver)} of "${parsed.text}", which is no Resolver: an object with a method \`watch\``,
	);
}

function isResolver(value: unknown): value is Resolver {
	return typeof (value as Partial<Resolver> | null)?.watch === "function";
}

function tlsOf(tls: NonNullable<ChannelOptions["tls"]>): TlsSource | undefined {
	if (tls === false) return undefined;
	if (typeof tls === "function") return tls;
	if (tls === true) return () => ({});
	secureContext(tls, "tls");
	return () => tls;
}

/** Returns the host of an authority. */
function nameOf(authority: string | undefined): string | undefined {
	return authority?.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}
