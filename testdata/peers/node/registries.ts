/** The registries that tests start. */

import { consulRegistry, consulResolver } from "homing/consul";
import { etcdRegistry, etcdResolver } from "homing/etcd";
import type { Registry } from "../../../src/discovery/registry.ts";
import type { Resolver } from "../../../src/discovery/resolver.ts";
import { ConsulAgent, consulMissing } from "../../harness/consul-agent.ts";
import { EtcdServer, etcdMissing } from "../../harness/etcd-server.ts";

export interface RegistrySystem {
	readonly kind: "consul" | "etcd";
	/** Why the registry cannot run here. Undefined if it can. */
	readonly missing: string | undefined;
	start(): Promise<RunningRegistry>;
}

export interface RunningRegistry extends AsyncDisposable {
	/** "host:port" */
	readonly address: string;
	/** homing's registry with its defaults. */
	readonly registry: Registry;
	/** The target by which homing finds the service. */
	target(service: string): string;
	resolver(service: string): Resolver;
	/** Returns the addresses of the service, as programs without homing find them. */
	find(service: string): Promise<string[]>;
}

export const consul: RegistrySystem = {
	kind: "consul",
	missing: consulMissing,
	async start() {
		const agent = await ConsulAgent.start();
		const { address } = agent;
		return {
			address,
			registry: consulRegistry({ agent: address }),
			target: (service) => `consul://${address}/${service}`,
			resolver: (service) => consulResolver({ agent: address, service }),
			async find(service) {
				const entries = await agent.ask<
					{ Service: { Address: string; Port: number } }[]
				>("GET", `health/service/${service}?passing`);
				return entries.map(
					({ Service }) => `${Service.Address}:${Service.Port}`,
				);
			},
			[Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
		};
	},
};

export const etcd: RegistrySystem = {
	kind: "etcd",
	missing: etcdMissing,
	async start() {
		const server = await EtcdServer.start();
		const { address } = server;
		const prefixOf = (service: string): string =>
			`kitex/registry-etcd/${service}`;
		return {
			address,
			registry: etcdRegistry({ hosts: [address] }),
			target: (service) => `etcd://${address}/${prefixOf(service)}`,
			resolver: (service) =>
				etcdResolver({ hosts: [address], prefix: prefixOf(service) }),
			async find(service) {
				const keys = await server.list(`${prefixOf(service)}/`);
				return keys.map(({ value }) => JSON.parse(value).address);
			},
			[Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
		};
	},
};
