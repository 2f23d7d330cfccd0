import type { Connect } from "../src/client/endpoint/connect.ts";
import { formatAddress } from "../src/discovery/targets/address.ts";
import { SimulatedConnection } from "./connection.ts";
import type { SimulatedServer } from "./server.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** One way, in milliseconds: within a zone, and from one zone to another. */
export interface Delays {
	readonly withinMs: number;
	readonly acrossMs: number;
}

/** Who counts. */
export interface NetworkWatcher {
	/** A request leaves, to another zone (`across`) or not. */
	sent(across: boolean): void;
}

/** The share of a delay by which chance makes it longer. */
const JITTER = 0.2;

/** Carries what clients and servers send each other. */
export class SimulatedNetwork {
	readonly #time: VirtualTime;
	readonly #random: () => number;
	readonly #delays: Delays;
	readonly #servers = new Map<string, SimulatedServer>();
	readonly #connections = new Map<SimulatedServer, Set<SimulatedConnection>>();
	readonly #watcher: NetworkWatcher;

	constructor(
		time: VirtualTime,
		random: () => number,
		delays: Delays,
		watcher: NetworkWatcher,
	) {
		this.#time = time;
		this.#random = random;
		this.#delays = delays;
		this.#watcher = watcher;
	}

	add(server: SimulatedServer): void {
		this.#servers.set(server.address, server);
		this.#connections.set(server, new Set());
	}

	/** How the clients of a zone connect. */
	connectFrom(zone: string): Connect {
		return (address, listener, signal) => {
			const name = formatAddress(address);
			const server = this.#servers.get(name);
			const { promise, resolve, reject } =
				Promise.withResolvers<SimulatedConnection>();
			const fail = (error: Error): void => {
				this.#time.settle();
				reject(error);
			};
			const abort = (): void => fail(signal.reason);
			signal.addEventListener("abort", abort, { once: true });
			if (server === undefined) {
				fail(new Error(`no such machine: ${name}`));
				return promise;
			}
			const delayMs = (): number =>
				this.#delayMs(zone === server.zone) * (1 + JITTER * this.#random());
			this.#time.after(delayMs() + delayMs(), () => {
				if (signal.aborted || server.state === "silent") return;
				signal.removeEventListener("abort", abort);
				if (server.state === "down") {
					fail(new Error(`connect ECONNREFUSED ${name}`));
					return;
				}
				const connections = this.#connectionsOf(server);
				const connection = new SimulatedConnection(
					server,
					listener,
					this.#time,
					delayMs,
					{
						sent: () => this.#watcher.sent(zone !== server.zone),
						gone: () => connections.delete(connection),
					},
				);
				connections.add(connection);
				this.#time.settle();
				listener.accepted();
				resolve(connection);
			});
			return promise;
		};
	}

	/** Its process dies: connections are reset, and new ones refused. */
	kill(server: SimulatedServer): void {
		server.state = "down";
		server.crash();
		for (const connection of this.#connectionsOf(server)) {
			connection.breakOff();
		}
	}

	/** Its machine is gone: nobody says so, and nothing comes back. */
	silence(server: SimulatedServer): void {
		server.state = "silent";
		server.crash();
		for (const connection of this.#connectionsOf(server)) {
			connection.forgotten = true;
		}
	}

	/** Takes no new calls, and lets those that it has finish for `graceMs`; then it is killed. */
	shutDown(server: SimulatedServer, graceMs: number): void {
		server.state = "down";
		for (const connection of this.#connectionsOf(server)) connection.goaway();
		this.#time.after(graceMs, () => this.kill(server));
	}

	#connectionsOf(server: SimulatedServer): Set<SimulatedConnection> {
		return this.#connections.get(server) as Set<SimulatedConnection>;
	}

	#delayMs(within: boolean): number {
		return within ? this.#delays.withinMs : this.#delays.acrossMs;
	}
}
