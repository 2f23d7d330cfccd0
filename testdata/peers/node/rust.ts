/** The tonic peer: built by `npm run peers`, run as processes. */

import { missing } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { type ProgramPeer, programClient, programServer } from "./program.ts";
import { rustPeer } from "./recipes.ts";

/** Why the tonic peer cannot run here; undefined if it can. */
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
