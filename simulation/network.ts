import type { Connect } from "../src/client/endpoint/connect.ts";
import { formatAddress } from "../src/discovery/targets/address.ts";
import { SimulatedConnection } from "./connection.ts";
import type { SimulatedServer } from "./server.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** One-way delays in milliseconds, within a zone and between zones. */
export interface Delays {
	readonly withinMs: number;
	readonly acrossMs: number;
}

/** Counts what is sent. */
export interface NetworkWatcher {
	/** A request is sent. `across` says whether it goes to another zone. */
	sent(across: boolean): void;
}

/** A delay is made longer at random, by up to this share of it. */
const JITTER = 0.2;

/** Connects clients and servers. */
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

	/** The function by which the clients of a zone connect. */
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
				fail(new Error(`there is no server at ${name}`));
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

	/** The process of the server dies: its connections are reset, and new ones are refused. */
	kill(server: SimulatedServer): void {
		server.state = "down";
		server.crash();
		for (const connection of this.#connectionsOf(server)) {
			connection.breakOff();
		}
	}

	/** The machine of the server loses power: connections stay open, and nothing is answered. */
	silence(server: SimulatedServer): void {
		server.state = "silent";
		server.crash();
		for (const connection of this.#connectionsOf(server)) {
			connection.forgotten = true;
		}
	}

	/** The server takes no new calls, has `graceMs` to finish those in flight, and is then killed. */
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
