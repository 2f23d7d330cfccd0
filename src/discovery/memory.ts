import { readEndpoints } from "./endpoints.ts";
import { formatHostPort } from "./host-port.ts";
import { lookAgain } from "./look-again.ts";
import type { Instance, Registration, Registry } from "./registry.ts";
import type { Endpoint, Resolver } from "./resolver.ts";

/**
 * A registry in this process, for tests and programs of one process. The
 * channels that resolve a name learn of a change at once.
 */
export class MemoryRegistry implements Registry {
	readonly #services = new Map<string, Service>();

	/**
	 * An instance without a host is on 127.0.0.1, one without an id has its address
	 * for one. One of the same id displaces the one before it.
	 *
	 * @throws PolicyError for a bad instance
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
		const endpoints = readEndpoints(
			[{ address, weight, zone, attributes }],
			`instance ${name}`,
		);
		return this.#service(name).add(id, endpoints);
	}

	/** The instances of a name that are serving. */
	resolver(name: string): Resolver {
		return {
			watch: (context) => {
				const service = this.#service(name);
				return lookAgain(
					context,
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

/** The registry of `memory:///name` targets. */
export function memoryRegistry(): MemoryRegistry {
	return processRegistry;
}

const processRegistry = new MemoryRegistry();

/** One instance: an endpoint, or none if it is to get no calls. */
interface Entry {
	readonly endpoints: readonly Endpoint[];
	serving: boolean;
}

class Service {
	readonly #instances = new Map<string, Entry>();
	readonly #listeners = new Set<() => void>();

	add(id: string, endpoints: readonly Endpoint[]): Registration {
		const entry: Entry = { endpoints, serving: true };
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
			.filter(({ serving }) => serving)
			.flatMap(({ endpoints }) => endpoints);
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
