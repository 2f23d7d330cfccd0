import { dnsResolver } from "../../discovery/dns/dns.ts";
import { srvResolver } from "../../discovery/dns/srv.ts";
import { fileResolver } from "../../discovery/file.ts";
import { memoryRegistry } from "../../discovery/memory.ts";
import type { Resolver } from "../../discovery/resolver.ts";
import { staticResolver } from "../../discovery/static.ts";
import type { EndpointSource } from "../../discovery/targets/target-facts.ts";

/** Makes the resolver for a string target. */
export function resolverOfTarget(source: EndpointSource): Resolver {
	switch (source.kind) {
		case "static":
			return staticResolver(source.addresses);
		case "dns":
			return dnsResolver(source);
		case "srv":
			return srvResolver(source);
		case "file":
			return fileResolver(source.path);
		case "memory":
			return memoryRegistry().resolver(source.name);
		case "etcd":
			return loadedLate(async () => {
				const { hosts, prefix, config } = source;
				const { etcdResolver } = await import("../../systems/etcd/resolver.ts");
				return etcdResolver({
					prefix,
					config,
					...(hosts.length > 0 && { hosts }),
				});
			});
		case "consul":
			return loadedLate(async () => {
				const { consulResolver } = await import(
					"../../systems/consul/resolver.ts"
				);
				const { kind, ...options } = source;
				return consulResolver(options);
			});
		case "kubernetes":
			return loadedLate(async () => {
				const { kubernetesResolver } = await import(
					"../../systems/kubernetes/resolver.ts"
				);
				const { kind, ...options } = source;
				return kubernetesResolver(options);
			});
	}
}

/** Makes a resolver whose code is loaded when it is first watched, so that programs load only the systems that they use. */
export function loadedLate(load: () => Promise<Resolver>): Resolver {
	let resolver: Promise<Resolver> | undefined;
	return {
		async *watch(context) {
			resolver ??= load().catch((error: unknown) => {
				// The next watch tries to load it again.
				resolver = undefined;
				throw error;
			});
			yield* (await resolver).watch(context);
		},
	};
}
