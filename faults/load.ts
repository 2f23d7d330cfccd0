import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@connectrpc/connect";
import { Code, ConnectError, closeClient, newClient } from "../src/client.ts";
import { Shop } from "./gen/faults_pb.ts";

/** A pause of each caller between its calls, in milliseconds. */
const THINK_MS = 5;

/** The deadline of a hasty caller: some of its calls make it. */
const HASTE_MS = 8;

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
	#furtherAttempts = 0;
	#stopped = false;
	readonly #failures: Failure[] = [];
	readonly #latencies: number[] = [];

	/** Starts. Each address is an endpoint. `hasty`: further callers, whose deadlines pass. */
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
