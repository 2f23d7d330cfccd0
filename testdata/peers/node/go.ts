/** The grpc-go peer: built when first needed, run as processes. */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import {
	create,
	type DescMessage,
	fromJsonString,
	type MessageInitShape,
	toJsonString,
} from "@bufbuild/protobuf";
import {
	builtProgram,
	goRecipe,
	missing,
	type Recipe,
} from "../../harness/built-program.ts";
import {
	DoneSchema,
	JobSchema,
	ListenSchema,
	type Outcome,
} from "../gen/peer_pb.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";

export const goPeer: Recipe = goRecipe(
	"grpc-go",
	new URL("../go/", import.meta.url),
);

/** Why the grpc-go peer cannot run here; undefined if it can. */
export const goMissing: string | undefined = missing(goPeer);

export const goServer: ServerPeer = {
	name: "grpc-go",
	compresses: true,
	async start(settings) {
		const program = await Program.start("server");
		program.write(ListenSchema, settings);
		const { promise: port, resolve } = Promise.withResolvers<string>();
		program.onLine = resolve;
		return {
			address: `127.0.0.1:${await Promise.race([port, program.failed])}`,
			stop: () => program.stop(),
		};
	},
};

export const goClient: ClientPeer = {
	name: "grpc-go",
	async connect(target) {
		const program = await Program.start("client");
		const waiting = new Map<number, (outcome: Outcome) => void>();
		let lastId = 0;
		program.onLine = (line) => {
			const { id, outcome } = fromJsonString(DoneSchema, line);
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

/** A run of the Go program, with a line of JSON a message both ways. */
class Program {
	onLine: (line: string) => void = () => undefined;
	/** Rejects when the program ends before it is stopped. */
	readonly failed: Promise<never>;
	readonly #process: ChildProcess;
	readonly #exited: Promise<void>;
	#stopping = false;

	static async start(command: "server" | "client"): Promise<Program> {
		return new Program(await builtProgram(goPeer), command);
	}

	private constructor(file: string, command: string) {
		this.#process = spawn(file, [command], {
			stdio: ["pipe", "pipe", "inherit"],
		});
		const { promise, reject } = Promise.withResolvers<never>();
		promise.catch(() => undefined);
		this.failed = promise;
		this.#exited = new Promise((resolve) => {
			this.#process.once("error", reject);
			this.#process.once("exit", (code, signal) => {
				if (!this.#stopping) {
					reject(new Error(`peer ${command} ended: ${code ?? signal}`));
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

	write<S extends DescMessage>(schema: S, message: MessageInitShape<S>): void {
		const line = toJsonString(schema, create(schema, message));
		this.#process.stdin?.write(`${line}\n`);
	}

	async stop(): Promise<void> {
		this.#stopping = true;
		this.#process.stdin?.end();
		this.#process.kill();
		await this.#exited;
	}
}
