import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import { Code, ConnectError, closeClient, newClient } from "../src/client.ts";
import { Shop } from "./gen/faults_pb.ts";

/** The pause of a caller between two calls, in milliseconds. */
const THINK_MS = 5;

/** The timeout of callers with short deadlines, in milliseconds: some of their calls succeed, others do not. */
const HASTE_MS = 8;

export interface Failure {
	/** When the call started and ended, in milliseconds since the load started. */
	readonly startedAt: number;
	readonly endedAt: number;
	readonly message: string;
}

/** The results of all calls. */
export interface Toll {
	readonly calls: number;
	readonly failures: readonly Failure[];
	/** The number of attempts beyond the first of each call. */
	readonly furtherAttempts: number;
	/** The latencies of successful calls in milliseconds, sorted. */
	readonly latencies: readonly number[];
}

/** Callers of an idempotent unary method. They share a client with default options; each makes one call after the other. */
export class Load {
	readonly #client: Client<typeof Shop>;
	readonly #callers: Promise<void>[];
	readonly #beganAt = performance.now();
	#calls = 0;
	#furtherAttempts = 0;
	#stopped = false;
	readonly #failures: Failure[] = [];
	readonly #latencies: number[] = [];

	/** Starts the callers. Each address is an endpoint. `hasty` is the number of further callers with short deadlines. */
	constructor(addresses: readonly string[], callers: number, hasty = 0) {
		this.#client = newClient(Shop, `ipv4:${addresses.join(",")}`, {
			hooks: {
				attemptStart: (_, { number }) => {
					if (number > 1) this.#furtherAttempts += 1;
				},
			},
		});
		this.#callers = [
			...Array.from({ length: callers }, () => this.#call()),
			...Array.from({ length: hasty }, () => this.#call(HASTE_MS)),
		];
	}

	/** Milliseconds since the load started. */
	get now(): number {
		return performance.now() - this.#beganAt;
	}

	/** Stops the callers, waits for the calls in flight, and returns the results. */
	async stop(): Promise<Toll> {
		this.#stopped = true;
		await Promise.all(this.#callers);
		await closeClient(this.#client);
		return {
			calls: this.#calls,
			failures: this.#failures,
			furtherAttempts: this.#furtherAttempts,
			latencies: this.#latencies.sort((a, b) => a - b),
		};
	}

	async #call(timeoutMs?: number): Promise<void> {
		while (!this.#stopped) {
			const startedAt = this.now;
			this.#calls += 1;
			try {
				await this.#client.look(
					{},
					timeoutMs === undefined ? {} : { timeoutMs },
				);
				this.#latencies.push(this.now - startedAt);
			} catch (error) {
				const { code, message } = ConnectError.from(error);
				const isHaste = timeoutMs !== undefined;
				if (isHaste && code === Code.DeadlineExceeded) continue;
				this.#failures.push({ startedAt, endedAt: this.now, message });
			}
			await sleep(THINK_MS);
		}
	}
}
