import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import { ConnectError, closeClient, newClient } from "../src/client.ts";
import { Shop } from "./gen/faults_pb.ts";

/** A pause of each caller between its calls, in milliseconds. */
const THINK_MS = 5;

export interface Failure {
	/** Milliseconds since the load began. */
	readonly startedAt: number;
	readonly endedAt: number;
	readonly message: string;
}

/** What came of the calls. */
export interface Toll {
	readonly calls: number;
	readonly failures: readonly Failure[];
	/** Attempts beyond the first of each call. */
	readonly furtherAttempts: number;
	/** Milliseconds, of the calls that went well, the shortest first. */
	readonly latencies: readonly number[];
}

/** Callers that call an idempotent unary method, one call after the other, by a client with default options. */
export class Load {
	readonly #client: Client<typeof Shop>;
	readonly #callers: Promise<void>[];
	readonly #beganAt = performance.now();
	#calls = 0;
	#attempts = 0;
	#stopped = false;
	readonly #failures: Failure[] = [];
	readonly #latencies: number[] = [];

	/** Starts. Each address is an endpoint. */
	constructor(addresses: readonly string[], callers: number) {
		this.#client = newClient(Shop, `ipv4:${addresses.join(",")}`, {
			hooks: {
				attemptStart: () => {
					this.#attempts += 1;
				},
			},
		});
		this.#callers = Array.from({ length: callers }, () => this.#call());
	}

	/** Milliseconds since it began. */
	get now(): number {
		return performance.now() - this.#beganAt;
	}

	/** Waits for the calls in flight. */
	async stop(): Promise<Toll> {
		this.#stopped = true;
		await Promise.all(this.#callers);
		await closeClient(this.#client);
		return {
			calls: this.#calls,
			failures: this.#failures,
			furtherAttempts: this.#attempts - this.#calls,
			latencies: this.#latencies.sort((a, b) => a - b),
		};
	}

	async #call(): Promise<void> {
		while (!this.#stopped) {
			const startedAt = this.now;
			this.#calls += 1;
			try {
				await this.#client.look({});
				this.#latencies.push(this.now - startedAt);
			} catch (error) {
				const { message } = ConnectError.from(error);
				this.#failures.push({ startedAt, endedAt: this.now, message });
			}
			await sleep(THINK_MS);
		}
	}
}
