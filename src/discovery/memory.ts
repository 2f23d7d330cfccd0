import { readEndpoint } from "./endpoints.ts";
import { lookAgain } from "./resolve-loop.ts";
import type { Instance, Registration, Registry } from "./registry.ts";
import type { Endpoint, Resolver } from "./resolver.ts";
import { formatHostPort } from "./targets/host-port.ts";

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
	 * @throws OptionError for a bad instance
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

	/** The instances of a name that are serving. */
	resolver(name: string): Resolver {
		return {
			watch: (context) => {
				const service = this.#service(name);
				return lookAgain(
					// Changes come by themselves, so that a refresh would bring nothing new.
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

/** The registry of `memory:///name` targets. */
export function memoryRegistry(): MemoryRegistry {
	processRegistry ??= new MemoryRegistry();
	return processRegistry;
}

/** Not made before it is asked for: so that bundlers leave it out where nobody does. */
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
