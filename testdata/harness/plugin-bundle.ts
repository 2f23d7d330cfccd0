import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPlugin } from "../../src/plugin/build.ts";

export interface PluginBundle extends AsyncDisposable {
	/** The path of the bundle. */
	readonly path: string;
	/** Runs the plugin in this process: takes an encoded request and returns an encoded response. */
	answer(request: Uint8Array): Uint8Array;
}

/** Builds the plugin as it is published, into a directory that is removed on disposal. */
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
