import type { Resolution, Resolver } from "../src/discovery/resolver.ts";
import type { SimulatedServer } from "./server.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A resolver that yields the addresses of the servers. All channels get a change at the same time. */
export class Directory implements Resolver {
	readonly #time: VirtualTime;
	#servers: readonly SimulatedServer[];
	#news = Promise.withResolvers<void>();

	constructor(time: VirtualTime, servers: readonly SimulatedServer[]) {
		this.#time = time;
		this.#servers = servers;
	}

	set(servers: readonly SimulatedServer[]): void {
		this.#servers = servers;
		this.#time.settle();
		this.#news.resolve();
		this.#news = Promise.withResolvers();
	}

	async *watch({
		signal,
	}: Parameters<Resolver["watch"]>[0]): AsyncIterable<Resolution> {
		const aborted = new Promise<void>((resolve) => {
			signal.addEventListener("abort", () => resolve(), { once: true });
		});
		while (!signal.aborted) {
			const { promise } = this.#news;
			yield {
				endpoints: this.#servers.map(({ address, zone }) => ({
					address,
					zone,
				})),
			};
			await Promise.race([promise, aborted]);
		}
	}
}
