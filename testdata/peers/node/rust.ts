/** The tonic peer: built by `npm run peers`, run as processes. */

import { copyFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { missing, type Recipe } from "../../harness/built-program.ts";
import type { ClientPeer, ServerPeer } from "./peer.ts";
import { type ProgramPeer, programClient, programServer } from "./program.ts";

/** Kept between builds, as they take minutes. */
const target = fileURLToPath(new URL("../../../.cache/cargo", import.meta.url));

export const rustPeer: Recipe = {
	name: "tonic",
	tool: ["cargo", "--version"],
	sources: new URL("../", import.meta.url),
	files: /^(peer\.proto|rust\/(src\/.*|build\.rs|Cargo\.(toml|lock)))$/,
	async build(draft, run) {
		await run(
			"cargo",
			["build", "--release", "--locked", "--manifest-path=rust/Cargo.toml"],
			{ CARGO_TARGET_DIR: target },
		);
		await copyFile(`${target}/release/peer`, draft);
	},
	slow: true,
};

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
