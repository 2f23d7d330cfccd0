import { readEndpoint } from "./endpoints.ts";
import type { Instance, Registration, Registry } from "./registry.ts";
import { resolveLoop } from "./resolve-loop.ts";
import type { Endpoint, Resolver } from "./resolver.ts";
import { formatHostPort } from "./targets/host-port.ts";

/**
 * A registry within this process, for tests and for programs that hold client
 * and server. Channels that resolve a name see a change at once.
 */
export class MemoryRegistry implements Registry {
	readonly #services = new Map<string, Service>();

	/**
	 * Registers an instance. Its default host is 127.0.0.1, and its default id is
	 * its address. An instance replaces one with the same id.
	 *
	 * @throws OptionError for an invalid instance
	 */
	async register(
		instance: Instance,
		signal: AbortSignal,
	): Promise<Registration> {
		signal.throwIfAborted();
		const address = formatHostPort({
			host: instance.host ?? "127.0.0.1",
			port: instance.port,
		});
		const { name, id = address, weight, zone, attributes } = instance;
		const endpoint = readEndpoint(
			{ address, weight, zone, attributes },
			`instance of ${name}`,
		);
		return this.#service(name).add(id, endpoint);
	}

	/** Returns a resolver for the instances of a name that are serving. */
	resolver(name: string): Resolver {
		return {
			watch: (context) => {
				const service = this.#service(name);
				return resolveLoop(
					// Every change is reported at once, so that a refresh would find nothing new.
					{ signal: context.signal, refresh: () => new Promise(() => {}) },
					{ everyMs: Infinity, minMs: 0, wake: (ask) => service.onChange(ask) },
					async () => ({ endpoints: service.endpoints() }),
				);
			},
		};
	}

	#service(name: string): Service {
		let service = this.#services.get(name);
		if (service === undefined) {
			service = new Service();
			this.#services.set(name, service);
		}
		return service;
	}
}

/** Returns the registry of this process, which `memory:///name` targets use. */
export function memoryRegistry(): MemoryRegistry {
	processRegistry ??= new MemoryRegistry();
	return processRegistry;
}

/** Created on first use, so that bundlers can drop the class from programs that do not use it. */
let processRegistry: MemoryRegistry | undefined;

interface Entry {
	readonly endpoint: Endpoint;
	serving: boolean;
}

class Service {
	readonly #instances = new Map<string, Entry>();
	readonly #listeners = new Set<() => void>();

	add(id: string, endpoint: Endpoint): Registration {
		const entry: Entry = { endpoint, serving: true };
		this.#instances.set(id, entry);
		this.#changed();
		return {
			setServing: async (serving) => {
				entry.serving = serving;
				this.#changed();
			},
			[Symbol.asyncDispose]: async () => {
				if (this.#instances.get(id) === entry) {
					this.#instances.delete(id);
					this.#changed();
				}
			},
		};
	}

	endpoints(): Endpoint[] {
		return [...this.#instances.values()]
			.filter(({ serving, endpoint }) => serving && endpoint.weight !== 0)
			.map(({ endpoint }) => endpoint);
	}

	onChange(listener: () => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	#changed(): void {
		for (const listener of this.#listeners) {
			listener();
		}
	}
}
