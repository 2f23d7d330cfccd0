import type {
	Instance,
	Registration,
	Registry,
} from "../../discovery/registry.ts";
import type { Listener } from "../listening/listener.ts";

/** Returns where clients can reach a server, by the first TCP address that it listens on. */
export function reachableAt(
	listeners: Iterable<Listener>,
): Pick<Instance, "host" | "port"> | undefined {
	for (const { address } of listeners) {
		if (address.kind !== "tcp") continue;
		const { host, port } = address;
		return WILDCARDS.includes(host) ? { port } : { host, port };
	}
	return undefined;
}

const WILDCARDS: readonly string[] = ["0.0.0.0", "::"];

/** The registrations of a server in registries. */
export class Announcements {
	readonly #registrations: Set<Registration> = new Set();
	readonly #withdrawn = new AbortController();

	/** Registers the server. Rejects with the error of the registry, and if `withdraw` is called meanwhile. */
	async announce(
		registry: Registry,
		instance: Instance,
	): Promise<Registration> {
		const { signal } = this.#withdrawn;
		const registration = await registry.register(instance, signal);
		if (signal.aborted) {
			await registration[Symbol.asyncDispose]();
			throw signal.reason;
		}
		this.#registrations.add(registration);
		return {
			setServing: (serving) => registration.setServing(serving),
			[Symbol.asyncDispose]: () => this.#withdraw(registration),
		};
	}

	/** Removes the server from all registries. `failed` hears what fails. */
	async withdraw(
		reason: Error,
		failed: (error: unknown) => void,
	): Promise<void> {
		this.#withdrawn.abort(reason);
		await Promise.all(
			[...this.#registrations].map((registration) =>
				this.#withdraw(registration).catch(failed),
			),
		);
	}

	async #withdraw(registration: Registration): Promise<void> {
		// Only once, whoever asks for it.
		if (this.#registrations.delete(registration)) {
			await registration[Symbol.asyncDispose]();
		}
	}
}
