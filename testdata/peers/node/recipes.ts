/** The programs in other languages, and how `npm run peers` builds each. */

import { copyFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { goRecipe, type Recipe } from "../../harness/built-program.ts";

export const goPeer: Recipe = goRecipe(
	"grpc-go",
	new URL("../go/", import.meta.url),
);

/** The packages that the program needs, and the code that is generated for it; the program itself is not built. */
export const pythonPeer: Recipe = {
	name: "grpcio",
	tool: ["python3", "--version"],
	sources: new URL("../", import.meta.url),
	files: /^(peer\.proto|python\/requirements\.txt)$/,
	async build(draft, run) {
		await run("python3", [
			...["-m", "pip", "install", "--no-input", "--no-deps"],
			...["--only-binary=:all:", "--target", draft],
			...["--requirement", "python/requirements.txt"],
		]);
		await run(
			"python3",
			[
				...["-m", "grpc_tools.protoc", "--proto_path=."],
				...[`--python_out=${draft}`, `--grpc_python_out=${draft}`],
				"peer.proto",
			],
			{ PYTHONPATH: draft },
		);
	},
};

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
};

export const kitexPeer: Recipe = {
	name: "kitex",
	tool: ["go", "version"],
	sources: new URL("../", import.meta.url),
	// It stands on some of the grpc-go peer's packages.
	files: /^(go|kitex)\/.*\.(go|mod|sum)$/,
	// To a directory: "kitex", "greeter-server", "greeter-client".
	build: (draft, run) =>
		run("go", [
			"build",
			"-C",
			"kitex",
			"-trimpath",
			"-ldflags=-s -w",
			"-o",
			`${draft}/`,
			".",
			"./greeter-server",
			"./greeter-client",
		]),
};

export const etcdServer: Recipe = goRecipe(
	"etcd",
	new URL("../etcd/", import.meta.url),
	"go.etcd.io/etcd/server/v3",
);

export const consulAgent: Recipe = goRecipe(
	"consul",
	new URL("../consul/", import.meta.url),
);

export const kubeApiServer: Recipe = goRecipe(
	"kube-apiserver",
	new URL("../kubernetes/", import.meta.url),
	"k8s.io/kubernetes/cmd/kube-apiserver",
);

/** The oldest line of Node on which homing runs, and one that is too old for it. */
export const node22: Recipe = npmRecipe("node-22", "node@22.23.3");
export const node20: Recipe = npmRecipe("node-20", "node@20.20.2");

/** What docs/setups.md shows homing with. */
export const setupTools: Recipe = npmRecipe(
	"setup-tools",
	"tsx@4.23.15",
	"jest@30.5.2",
	"@swc/core@1.16.22",
	"@swc/jest@0.2.39",
);

/** A directory with packages of npm's in its `node_modules`. */
function npmRecipe(name: string, ...packages: readonly string[]): Recipe {
	return {
		name,
		tool: ["npm", "--version"],
		sources: new URL(".", import.meta.url),
		// Where the versions are.
		files: /^recipes\.ts$/,
		build: (draft, run) =>
			run("npm", [
				...["install", "--no-audit", "--no-fund", "--no-save"],
				...["--prefix", draft, ...packages],
			]),
	};
}

/** Those that are built soon come first. */
export const recipes: readonly Recipe[] = [
	node20,
	node22,
	setupTools,
	goPeer,
	pythonPeer,
	rustPeer,
	etcdServer,
	consulAgent,
	kitexPeer,
	kubeApiServer,
];
