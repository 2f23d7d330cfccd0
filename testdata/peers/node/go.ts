/** The grpc-go peer: built by `npm run peers`, run as processes. */

import { missing } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { programClient, programServer } from "./program.ts";
import { goPeer } from "./recipes.ts";

/** Why the grpc-go peer cannot run here; undefined if it can. */
export const goMissing: string | undefined = missing(goPeer);

const program = { name: "grpc-go", recipe: goPeer };

export const goServer: ServerPeer = programServer(program, {
	compresses: true,
});

export const goClient: ClientPeer = programClient(program);
