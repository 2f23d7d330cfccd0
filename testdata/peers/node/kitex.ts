/** The Kitex peer: built by `npm run peers`, run as processes. */

import { missing, type Recipe } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { type ProgramPeer, programClient, programServer } from "./program.ts";

export const kitexPeer: Recipe = {
	name: "kitex",
	tool: ["go", "version"],
	sources: new URL("../", import.meta.url),
	// It stands on some of the grpc-go peer's packages.
	files: /^(go|kitex)\/.*\.(go|mod|sum)$/,
	build: (draft, run) =>
		run("go", [
			"build",
			"-C",
			"kitex",
			"-trimpath",
			"-ldflags=-s -w",
			"-o",
			draft,
		]),
	slow: true,
};

/** Why the Kitex peer cannot run here; undefined if it can. */
export const kitexMissing: string | undefined = missing(kitexPeer);

/** The program, whose flags tell of a registry: `-registry consul -at 127.0.0.1:8500 -service payment`. */
export function kitexProgram(args: readonly string[] = []): ProgramPeer {
	return { name: "kitex", recipe: kitexPeer, args };
}

export const kitexServer: ServerPeer = programServer(kitexProgram(), {
	compresses: true,
});

export const kitexClient: ClientPeer = programClient(kitexProgram());
