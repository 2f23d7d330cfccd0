import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import type { Finding, Group } from "./group.ts";
import { fileOf, PEERS } from "./peers.ts";
import type { Series } from "./series.ts";

const here = fileURLToPath(new URL(".", import.meta.url));

/** Programs with a client over a given Transport, which is the same for all and not counted. */
const BROWSER_PROGRAMS = {
	homing: `export { NewBenchClient } from "./gen/bench_rpc.ts";`,
	"connect's createClient": `
		import { createClient } from "@connectrpc/connect";
		import { Bench } from "./gen/bench_pb.ts";
		export const connect = (transport) => createClient(Bench, transport);`,
};

export const bundleSize: Group = { name: "size", run: measureBundles };

async function measureBundles(): Promise<Finding[]> {
	const node: Series = new Map(
		await Promise.all(
			PEERS.map(async (peer) => {
				const program = `export { connect } from "./clients/${fileOf(peer)}";`;
				return [peer, [await bundledBytes(program, "node")]] as const;
			}),
		),
	);
	const browser: Series = new Map(
		await Promise.all(
			Object.entries(BROWSER_PROGRAMS).map(
				async ([name, program]) =>
					[name, [await bundledBytes(program, "browser")]] as const,
			),
		),
	);
	return [
		{
			key: "size/node",
			title: "client: bytes, bundled with its messages, minified and gzipped",
			base: "grpc-js",
			series: node,
		},
		{
			key: "size/browser",
			title: "the same for a browser, over a Transport that is passed in",
			base: "connect's createClient",
			series: browser,
		},
	];
}

async function bundledBytes(
	program: string,
	platform: "node" | "browser",
): Promise<number> {
	const { outputFiles } = await build({
		stdin: { contents: program, resolveDir: here, loader: "ts" },
		bundle: true,
		minify: true,
		format: "esm",
		platform,
		target: "es2022",
		write: false,
		// The tsconfig of this package maps "homing" to the sources. Bundle the published files instead.
		tsconfigRaw: {},
	});
	return gzipSync((outputFiles[0] as { contents: Uint8Array }).contents).length;
}
