/** The grpc-go peer: built when first needed, run as processes. */

import { goRecipe, missing, type Recipe } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { programClient, programServer } from "./program.ts";

export const goPeer: Recipe = goRecipe(
	"grpc-go",
	new URL("../go/", import.meta.url),
);

/** Why the grpc-go peer cannot run here; undefined if it can. */
export const goMissing: string | undefined = missing(goPeer);

const program = { name: "grpc-go", recipe: goPeer };

export const goServer: ServerPeer = programServer(program, {
	compresses: true,
});

export const goClient: ClientPeer = programClient(program);
