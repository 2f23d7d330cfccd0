/** Peers in other languages. They are processes that exchange messages with the tests, one message in each line. */

import { type ChildProcess, spawn } from "node:child_process";
import { env } from "node:process";
import { createInterface } from "node:readline";
import {
	create,
	type DescMessage,
	fromBinary,
	fromJsonString,
	type MessageInitShape,
	type MessageShape,
	toBinary,
	toJsonString,
} from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { builtProgram, type Recipe } from "../../harness/built-program.ts";
import {
	DoneSchema,
	JobSchema,
	ListenSchema,
	type Outcome,
} from "../gen/peer_pb.ts";
import type { ClientPeer, RunningServer, ServerPeer } from "./peer.ts";

/**
 * A program with two commands, which it gets as its first argument:
 *
 * - `server` reads a `Listen` from the first line of its standard input, prints its port, and serves until its input ends;
 * - `client` reads a `Job` from each line, and prints a `Done` on a line.
 */
export interface ProgramPeer {
	readonly name: string;
	readonly recipe: Recipe;
	/** The command that starts what the recipe has built. Default: the built program itself. */
	readonly command?: (
		built: string,
	) => readonly [file: string, ...args: string[]];
	/** Arguments after the command `server` or `client`. */
	readonly args?: readonly string[];
	/** Additional environment variables. */
	readonly environment?: Readonly<Record<string, string>>;
	/** How a line encodes a message. Default: protobuf JSON. */
	readonly lines?: "JSON" | "base64";
}

export interface ProgramServer extends ServerPeer {
	start(...args: Parameters<ServerPeer["start"]>): Promise<RunningProgram>;
}

export interface RunningProgram extends RunningServer {
	/** Kills the process. */
	kill(): Promise<void>;
}

export function programServer(
	peer: ProgramPeer,
	{ compresses }: Pick<ServerPeer, "compresses">,
): ProgramServer {
	return {
		name: peer.name,
		compresses,
		async start(settings) {
			const program = await Program.start(peer, "server");
			program.write(ListenSchema, settings);
			const { promise: port, resolve } = Promise.withResolvers<string>();
			program.onLine = resolve;
			return {
				address: `127.0.0.1:${await Promise.race([port, program.failed])}`,
				stop: () => program.stop(),
				kill: () => program.kill(),
			};
		},
	};
}

export function programClient(peer: ProgramPeer): ClientPeer {
	return {
		name: peer.name,
		async connect(target) {
			const program = await Program.start(peer, "client");
			const waiting = new Map<number, (outcome: Outcome) => void>();
			let lastId = 0;
			program.onLine = (line) => {
				const { id, outcome } = program.read(DoneSchema, line);
				if (outcome) waiting.get(id)?.(outcome);
				waiting.delete(id);
			};
			return {
				async perform(call) {
					lastId += 1;
					const { promise, resolve } = Promise.withResolvers<Outcome>();
					waiting.set(lastId, resolve);
					program.write(JobSchema, { id: lastId, target, call });
					return Promise.race([promise, program.failed]);
				},
				close: () => program.stop(),
			};
		},
	};
}

/** A running program. */
class Program {
	onLine: (line: string) => void = () => undefined;
	/** Rejects if the program ends before it is stopped. */
	readonly failed: Promise<never>;
	readonly #lines: "JSON" | "base64";
	readonly #process: ChildProcess;
	readonly #exited: Promise<void>;
	#stopping = false;

	static async start(
		peer: ProgramPeer,
		verb: "server" | "client",
	): Promise<Program> {
		const { name, recipe, command = (built) => [built], args = [] } = peer;
		const [file, ...before] = command(builtProgram(recipe));
		const process = spawn(file, [...before, verb, ...args], {
			stdio: ["pipe", "pipe", "inherit"],
			env: { ...env, ...peer.environment },
		});
		return new Program(`${name} ${verb}`, process, peer.lines);
	}

	private constructor(
		name: string,
		process: ChildProcess,
		lines: ProgramPeer["lines"] = "JSON",
	) {
		this.#process = process;
		this.#lines = lines;
		const { promise, reject } = Promise.withResolvers<never>();
		promise.catch(() => undefined);
		this.failed = promise;
		this.#exited = new Promise((resolve) => {
			this.#process.once("error", reject);
			this.#process.once("exit", (code, signal) => {
				if (!this.#stopping) {
					reject(new Error(`${name} ended: ${code ?? signal}`));
				}
				resolve();
			});
		});
		if (this.#process.stdout) {
			createInterface({ input: this.#process.stdout }).on("line", (line) =>
				this.onLine(line),
			);
		}
	}

	read<S extends DescMessage>(schema: S, line: string): MessageShape<S> {
		return this.#lines === "JSON"
			? fromJsonString(schema, line)
			: fromBinary(schema, base64Decode(line));
	}

	write<S extends DescMessage>(schema: S, init: MessageInitShape<S>): void {
		const message = create(schema, init);
		const line =
			this.#lines === "JSON"
				? toJsonString(schema, message)
				: base64Encode(toBinary(schema, message));
		this.#process.stdin?.write(`${line}\n`);
	}

	stop(): Promise<void> {
		this.#stopping = true;
		this.#process.stdin?.end();
		this.#process.kill();
		return this.#exited;
	}

	kill(): Promise<void> {
		this.#stopping = true;
		this.#process.kill("SIGKILL");
		return this.#exited;
	}
}
