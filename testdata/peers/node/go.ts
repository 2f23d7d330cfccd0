/** The grpc-go peer: built when first needed, run as processes. */

import {
	type ChildProcess,
	execFile,
	spawn,
	spawnSync,
} from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
	create,
	type DescMessage,
	fromJsonString,
	type MessageInitShape,
	toJsonString,
} from "@bufbuild/protobuf";
import {
	DoneSchema,
	JobSchema,
	ListenSchema,
	type Outcome,
} from "../gen/peer_pb.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";

/** Why the grpc-go peer cannot run here; undefined if it can. */
export const goMissing: string | undefined = missing();

function missing(): string | undefined {
	const { error } = spawnSync("go", ["version"]);
	if (!error) return undefined;
	if (process.env["CI"]) throw new Error("CI needs go for the grpc-go peer");
	return "go is not installed, so the grpc-go peer cannot be built";
}

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
		return new Program(await build(), command);
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

const sources = fileURLToPath(new URL("../go/", import.meta.url));
const cache = fileURLToPath(new URL("../../../.cache/peers/", import.meta.url));
let built: Promise<string> | undefined;

/** The program's file, kept under a hash of its sources. */
function build(): Promise<string> {
	built ??= buildOnce();
	return built;
}

async function buildOnce(): Promise<string> {
	const names = (await readdir(sources, { recursive: true })).filter((name) =>
		/\.(go|mod|sum)$/.test(name),
	);
	const hash = createHash("sha256");
	for (const name of names.sort()) {
		hash.update(name).update(await readFile(`${sources}${name}`));
	}
	const file = `${cache}peer-${hash.digest("hex").slice(0, 16)}`;
	if (!existsSync(file)) {
		await mkdir(cache, { recursive: true });
		const draft = `${file}.${process.pid}`;
		await promisify(execFile)("go", ["build", "-o", draft, "."], {
			cwd: sources,
		});
		await rename(draft, file);
	}
	return file;
}
