/** The grpcio peer. `npm run peers` installs its packages, and tests run it as processes. */

import { fileURLToPath } from "node:url";
import { missing } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { type ProgramPeer, programClient, programServer } from "./program.ts";
import { pythonPeer } from "./recipes.ts";

/** Why the grpcio peer cannot run here. Undefined if it can. */
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
