/** The tonic peer. `npm run peers` builds it, and tests run it as processes. */

import { missing } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { type ProgramPeer, programClient, programServer } from "./program.ts";
import { rustPeer } from "./recipes.ts";

/** Why the tonic peer cannot run here. Undefined if it can. */
export const rustMissing: string | undefined = missing(rustPeer);

const program: ProgramPeer = {
	name: "tonic",
	recipe: rustPeer,
	lines: "base64",
};

export const rustServer: ServerPeer = programServer(program, {
	compresses: true,
});

export const rustClient: ClientPeer = programClient(program);
