import type { BalancerFactory } from "../balancer/balancer.ts";
import { balancerNamed, DEFAULT_BALANCER } from "../balancer/policies.ts";
import type { Resolver } from "../discovery/resolver.ts";
import { parseTarget } from "../discovery/target.ts";
import { type Clock, systemClock } from "../policy/clock.ts";
import { parseDuration } from "../policy/duration.ts";
import { checkOptions } from "../policy/option-table.ts";
import { PolicyError, shown } from "../policy/policy-error.ts";
import {
	type CompiledServiceConfig,
	parseServiceConfig,
} from "../policy/service-config.ts";
import { type ChannelOptions, channelOptions } from "./channel-options.ts";
import { type Dial, dialPlaintext, tlsDialer } from "./dial.ts";
import { guardedHooks } from "./guarded.ts";
import type { ClientHooks } from "./hooks.ts";
import { resolverOfTarget } from "./resolver-of-target.ts";
import type { TlsSource } from "./tls-options.ts";
import { VERSION } from "./version.ts";

/** Target and options of a channel, checked and made ready for use. */
export interface ChannelSetting {
	/** The target, for messages. */
	readonly name: string;
	readonly resolver: Resolver;
	readonly scheme: "http" | "https";
	readonly authority: string;
	readonly userAgent: string;
	readonly dial: Dial;
	readonly clock: Clock;
	readonly random: () => number;
	readonly connectTimeoutMs: number;
	readonly idleTimeoutMs: number;
	readonly balancer: BalancerFactory;
	readonly serviceConfig: CompiledServiceConfig | undefined;
	readonly credentials: ChannelOptions["credentials"];
	readonly compression: "gzip" | undefined;
	readonly hooks: ClientHooks;
}

/** Time and chance, for tests to replace. */
export interface Environment {
	readonly clock: Clock;
	/** At least 0, less than 1. */
	readonly random: () => number;
}

const realEnvironment: Environment = {
	clock: systemClock,
	random: Math.random,
};

/**
 * Checks target and options of a channel.
 *
 * @throws PolicyError that names the bad target or option
 */
export function settleChannel(
	target: string | Resolver,
	options: ChannelOptions,
	environment: Environment = realEnvironment,
): ChannelSetting {
	checkOptions(options, channelOptions);
	const found = findTarget(target, options);
	const tls = tlsOf(options.tls ?? found.tls);
	if (
		options.credentials !== undefined &&
		tls === undefined &&
		options.insecureCredentials !== true
	) {
		throw new PolicyError(
			"credentials",
			"would travel over plaintext; set `tls`, or `insecureCredentials: true` if the network is safe",
		);
	}
	const { serviceConfig } = options;
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
		dial:
			tls === undefined
				? dialPlaintext
				: tlsDialer(tls, nameOf(options.authority) ?? found.serverName),
		connectTimeoutMs: parseDuration(
			options.connectTimeout ?? "5s",
			"connectTimeout",
		),
		idleTimeoutMs: parseDuration(options.idleTimeout ?? "1800s", "idleTimeout"),
		balancer: balancerOf(options.balancer),
		serviceConfig:
			serviceConfig && parseServiceConfig(serviceConfig, "serviceConfig"),
		credentials: options.credentials,
		compression: options.compression,
		hooks: guardedHooks(options.hooks ?? {}),
	};
}

function findTarget(
	target: string | Resolver,
	options: ChannelOptions,
): {
	name: string;
	resolver: Resolver;
	authority: string;
	serverName: string;
	tls: boolean;
} {
	if (typeof target !== "string") {
		if (typeof target?.watch !== "function") {
			throw new PolicyError(
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
		};
	}
	const resolvers = options.resolvers ?? {};
	const read = parseTarget(target, Object.keys(resolvers));
	return {
		name: target,
		resolver:
			read.source === undefined
				? ownResolver(resolvers, read.parsed.scheme)(read.parsed)
				: resolverOfTarget(read.source),
		authority: read.defaultAuthority,
		serverName: read.serverName,
		tls: read.tls,
	};
}

type ResolverFactory = NonNullable<ChannelOptions["resolvers"]>[string];

/** Schemes are the same in upper and in lower case. */
function ownResolver(
	resolvers: Record<string, ResolverFactory>,
	scheme: string,
): ResolverFactory {
	const entry = Object.entries(resolvers).find(
		([name]) => name.toLowerCase() === scheme,
	);
	return (entry as [string, ResolverFactory])[1];
}

function tlsOf(tls: NonNullable<ChannelOptions["tls"]>): TlsSource | undefined {
	if (tls === false) return undefined;
	if (typeof tls === "function") return tls;
	return () => (tls === true ? {} : tls);
}

/** The host of an authority. */
function nameOf(authority: string | undefined): string | undefined {
	return authority?.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

function balancerOf(
	balancer: string | BalancerFactory | undefined,
): BalancerFactory {
	if (typeof balancer === "function") return balancer;
	return (
		(balancer === undefined ? undefined : balancerNamed(balancer)) ??
		DEFAULT_BALANCER
	);
}
