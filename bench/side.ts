import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

type Answer<A> = { readonly answer: A } | { readonly error: string };

/** A program of this directory in its own process. It answers questions, one at a time. */
export class Side<Question, A> implements Disposable {
	readonly #process: ChildProcess;
	readonly #name: string;

	/** @param execArgv options for Node */
	constructor(
		file: string,
		argument: string,
		execArgv: readonly string[] = [],
	) {
		this.#name = `${file} ${argument}`;
		this.#process = fork(
			fileURLToPath(new URL(file, import.meta.url)),
			[argument],
			{ serialization: "advanced", execArgv: [...execArgv] },
		);
	}

	/** Asks a question. Rejects with the error of the other process. */
	ask(question: Question): Promise<A> {
		const child = this.#process;
		return new Promise((resolve, reject) => {
			const exited = (code: number | null): void =>
				reject(new Error(`${this.#name} exited with code ${code}`));
			child.once("exit", exited);
			child.once("message", (message: Answer<A>) => {
				child.off("exit", exited);
				if ("error" in message) {
					reject(new Error(`${this.#name}: ${message.error}`));
				} else {
					resolve(message.answer);
				}
			});
			child.send({ question });
		});
	}

	[Symbol.dispose](): void {
		this.#process.kill();
	}
}

/** Answers the questions of the parent process with `answer`, until the parent disconnects. */
export function answerWith<Question, A>(
	answer: (question: Question) => Promise<A>,
): void {
	process.once("disconnect", () => process.exit());
	process.on("message", async ({ question }: { question: Question }) => {
		try {
			process.send?.({ answer: await answer(question) } satisfies Answer<A>);
		} catch (error) {
			process.send?.({ error: String(error) } satisfies Answer<A>);
		}
	});
}

/** CPU time of this process with all its threads, in milliseconds. */
export function cpuMs(): number {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1000;
}
