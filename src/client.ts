/** The entry point `homing`: clients, channels, resolvers, balancers and their options. */

import "./node-version.ts";

export {
	Code,
	ConnectError,
	type ContextKey,
	type ContextValues,
	createContextKey,
	createContextValues,
	type HandlerContext,
	type Interceptor,
	type Transport,
} from "@connectrpc/connect";
export type {
	Balancer,
	BalancerFactory,
	BalancerHelper,
	ChannelState,
	Pick,
	Picker,
	PickInfo,
	Subchannel,
} from "./balancer/balancer.ts";
export { leastRequest } from "./balancer/least-request.ts";
export type {
	FailurePercentageEjection,
	OutlierDetectionOptions,
	SuccessRateEjection,
} from "./balancer/outliers/outlier-detection-options.ts";
export { pickFirst } from "./balancer/pick-first.ts";
export { ringHash } from "./balancer/ring-hash/ring-hash.ts";
export { roundRobin } from "./balancer/round-robin.ts";
export type { Duration } from "./checks/duration.ts";
export { OptionError } from "./checks/option-error.ts";
export type {
	BidiStream,
	BidiStreaming,
	ClientStream,
	ClientStreaming,
	ServerStream,
} from "./client/call/stream-handles.ts";
export { Channel } from "./client/channel.ts";
export { channelOf, closeClient } from "./client/client-object.ts";
export { newClient, type Target } from "./client/new-client.ts";
export {
	type CallOptions,
	callOptionsKey,
} from "./client/options/call-options.ts";
export type {
	ChannelOptions,
	Keepalive,
} from "./client/options/channel-options.ts";
export type { CircuitBreakerOptions } from "./client/options/circuit-breaker-options.ts";
export type { ClientOptions } from "./client/options/client-options.ts";
export type { ConnectBackoff } from "./client/options/connect-backoff.ts";
export type { CallInfo, ClientHooks } from "./client/options/hooks.ts";
export { dnsResolver } from "./discovery/dns/dns.ts";
export { srvResolver } from "./discovery/dns/srv.ts";
export { fileResolver } from "./discovery/file.ts";
export { MemoryRegistry, memoryRegistry } from "./discovery/memory.ts";
export { type PollOptions, poll } from "./discovery/poll.ts";
export type {
	Instance,
	Registration,
	Registry,
} from "./discovery/registry.ts";
export type {
	Endpoint,
	Resolution,
	ResolveContext,
	Resolver,
} from "./discovery/resolver.ts";
export { staticResolver } from "./discovery/static.ts";
export type { ParsedTarget } from "./discovery/targets/parsed-target.ts";
export type * from "./generated.ts";
export type { CodeName } from "./policy/code.ts";
export type { MethodPolicy } from "./policy/method-policy.ts";
export type { HedgingPolicy } from "./policy/retry/hedging-policy.ts";
export type { RetryPolicy } from "./policy/retry/retry-policy.ts";
export type {
	RetryThrottling,
	ServiceConfig,
} from "./policy/service-config.ts";
export type { TlsOptions } from "./tls/tls-options.ts";
