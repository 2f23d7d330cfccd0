/**
 * Bundles the plugin into one file that starts fast, and writes the licences of
 * the bundled packages into another file.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Leaves out the TypeScript compiler, which would be most of the bundle. It is never called, because the plugin prints
 * JavaScript and declarations itself.
 */
const withoutCompiler: Plugin = {
	name: "without-compiler",
	setup(build) {
		build.onLoad({ filter: /protoplugin\/dist\/esm\/transpile\.js$/ }, () => ({
			contents:
				'export function transpile() { throw new Error("nothing is transpiled"); }',
		}));
	},
};

/** Writes `protoc-gen-homing.cjs` and `LICENSES.txt` into the directory. */
export async function buildPlugin(directory: string): Promise<void> {
	await mkdir(directory, { recursive: true });
	const { metafile } = await build({
		absWorkingDir: root,
		entryPoints: ["src/plugin/main.ts"],
		outfile: join(directory, "protoc-gen-homing.cjs"),
		bundle: true,
		platform: "node",
		// Node loads CommonJS faster than ECMAScript modules.
		format: "cjs",
		target: "node20",
		legalComments: "none",
		loader: { ".proto": "text" },
		metafile: true,
		plugins: [withoutCompiler],
	});
	const bundled = Object.keys(metafile.inputs).filter((path) =>
		path.startsWith("node_modules/"),
	);
	await writeFile(join(directory, "LICENSES.txt"), await licences(bundled));
}

/** Lists the packages, the notices at the start of their files, and the licence to which most of the notices refer. */
async function licences(paths: readonly string[]): Promise<string> {
	const packages = new Set<string>();
	const notices = new Set<string>();
	for (const path of paths.toSorted()) {
		const directory = /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? "";
		const manifest = await readFile(
			join(root, directory, "package.json"),
			"utf8",
		);
		const { name, version, license } = JSON.parse(manifest);
		packages.add(`${name} ${version}: ${license}`);
		notices.add(noticeOf(await readFile(join(root, path), "utf8")));
	}
	return [
		`protoc-gen-homing.cjs contains code of\n\n${[...packages].join("\n")}`,
		...notices,
		await readFile(join(root, "LICENSE"), "utf8"),
	].join(`\n${"-".repeat(80)}\n\n`);
}

function noticeOf(source: string): string {
	const comment = /^(?:\/\/.*\n)+/.exec(source)?.[0] ?? "";
	return comment
		.replace(/^\/\/ ?/gm, "")
		.replace(/(limitations under the License\.\n)[\s\S]*/, "$1");
}
