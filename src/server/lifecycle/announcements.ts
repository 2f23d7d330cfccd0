import type {
	Instance,
	Registration,
	Registry,
} from "../../discovery/registry.ts";
import type { Listener } from "../listening/listener.ts";

/** Where others reach a server, as far as its own addresses tell; the first counts. */
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

/** The registries that know of a server. */
export class Announcements {
	readonly #registrations: Set<Registration> = new Set();
	readonly #withdrawn = new AbortController();

	/** Rejects with the registry's error, and when the server is withdrawn meanwhile. */
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

	/** Takes the server out of all registries. What fails is told to `failed`. */
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
		// Each only once, whoever asks for it.
		if (this.#registrations.delete(registration)) {
			await registration[Symbol.asyncDispose]();
		}
	}
}
