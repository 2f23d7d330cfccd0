/** The grpcio peer: its packages are installed by `npm run peers`; run as processes. */

import { fileURLToPath } from "node:url";
import { missing, type Recipe } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { type ProgramPeer, programClient, programServer } from "./program.ts";

/** The packages that the program needs, and the code that is generated for it; the program itself is not built. */
export const pythonPeer: Recipe = {
	name: "grpcio",
	tool: ["python3", "--version"],
	sources: new URL("../", import.meta.url),
	files: /^(peer\.proto|python\/requirements\.txt)$/,
	async build(draft, run) {
		await run("python3", [
			...["-m", "pip", "install", "--no-input", "--no-deps"],
			...["--only-binary=:all:", "--target", draft],
			...["--requirement", "python/requirements.txt"],
		]);
		await run(
			"python3",
			[
				...["-m", "grpc_tools.protoc", "--proto_path=."],
				...[`--python_out=${draft}`, `--grpc_python_out=${draft}`],
				"peer.proto",
			],
			{ PYTHONPATH: draft },
		);
	},
	slow: true,
};

/** Why the grpcio peer cannot run here; undefined if it can. */
export const pythonMissing: string | undefined = missing(pythonPeer);

const main = fileURLToPath(new URL("../python/main.py", import.meta.url));

const program: ProgramPeer = {
	name: "grpcio",
	recipe: pythonPeer,
	command: (built) => ["env", `PYTHONPATH=${built}`, "python3", main],
	environment: { PYTHONDONTWRITEBYTECODE: "1", GRPC_VERBOSITY: "ERROR" },
};

export const pythonServer: ServerPeer = programServer(program, {
	compresses: true,
});

export const pythonClient: ClientPeer = programClient(program);
