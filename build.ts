/**
 * Builds the JavaScript of the package, `dist`: the plugin and the runtime. `tsc` adds the types.
 *
 * The runtime is bundled into one file for each entry point, and files that they share. To find and read its hundreds of
 * modules one by one would take a quarter of the time in which a client starts.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import packageJson from "./package.json" with { type: "json" };
import { buildPlugin } from "./src/plugin/build.ts";

const root = fileURLToPath(new URL(".", import.meta.url));
const dist = join(root, "dist");

/** A module that throws on an old Node. It must run before the rest of an entry point. */
const NODE_VERSION = "node-version";

/** The entry points of the package: paths in `src` and in `dist`, without extensions. */
function entryPoints(): string[] {
	const files = JSON.stringify(packageJson.exports).matchAll(
		/"\.\/dist\/([^"]+)\.js"/g,
	);
	return Array.from(files, ([, path]) => path as string);
}

await rm(dist, { recursive: true, force: true });
await buildPlugin(join(dist, "plugin"));
const runtime = await rolldown({
	cwd: root,
	input: Object.fromEntries(
		[NODE_VERSION, ...entryPoints()].map((path) => [path, `src/${path}.ts`]),
	),
	// Only the files of this package are bundled.
	external: (id) => /^[^./]/.test(id) && !id.startsWith("src/"),
	platform: "neutral",
	treeshake: {
		moduleSideEffects: (id) => id.endsWith(`/${NODE_VERSION}.ts`),
	},
});
await runtime.write({
	dir: dist,
	entryFileNames: "[name].js",
	chunkFileNames: "shared/[name]-[hash].js",
	sourcemap: true,
});
