/** The grpc-go peer. `npm run peers` builds it, and tests run it as processes. */

import { missing } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { programClient, programServer } from "./program.ts";
import { goPeer } from "./recipes.ts";

/** Why the grpc-go peer cannot run here. Undefined if it can. */
export const goMissing: string | undefined = missing(goPeer);

const program = { name: "grpc-go", recipe: goPeer };

export const goServer: ServerPeer = programServer(program, {
	compresses: true,
});

export const goClient: ClientPeer = programClient(program);
