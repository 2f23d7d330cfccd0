import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPlugin } from "../../src/plugin/build.ts";

export interface PluginBundle extends AsyncDisposable {
	/** The path of the bundle. */
	readonly path: string;
	/** The plugin in this process: an encoded request in, an encoded response out. */
	answer(request: Uint8Array): Uint8Array;
}

/** The plugin as it is shipped, built into a directory that disposing removes. */
export async function pluginBundle(): Promise<PluginBundle> {
	const directory = await mkdtemp(join(tmpdir(), "homing-plugin-"));
	await buildPlugin(directory);
	const path = join(directory, "protoc-gen-homing.cjs");
	const { answer } = createRequire(import.meta.url)(path);
	return {
		path,
		answer,
		[Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
	};
}
