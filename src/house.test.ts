import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { VERSION } from "./version.ts";

const src = fileURLToPath(new URL(".", import.meta.url));

/**
 * The rooms that each room may import, besides itself. (A room is a folder of `src`.) The plugin shares policies with the
 * runtime, and nothing else.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
	plugin: ["checks", "policy", "gen"],
	checks: [],
	policy: ["checks"],
	tls: ["checks", "policy"],
	wire: ["checks", "policy"],
	discovery: ["checks", "policy"],
	balancer: ["checks", "policy", "discovery"],
	client: ["checks", "policy", "tls", "wire", "discovery", "balancer"],
	server: ["checks", "policy", "tls", "wire", "discovery"],
	systems: ["checks", "policy", "tls", "discovery", "client"],
	gen: [],
};

/** The rooms inside the client, from the highest to the lowest. Each may import those below it. */
const CLIENT_ROOMS = [
	"",
	"transport",
	"call",
	"channel",
	"endpoint",
	"options",
] as const;

/** The rooms inside of the server, from the highest to the lowest. */
const SERVER_ROOMS = [
	"",
	"services",
	"lifecycle",
	"listening",
	"connections",
	"limits",
	"call",
	"options",
	"gen",
] as const;

/** The one file that imports upwards: it loads the system of a string target dynamically, when one is used. */
const LOADER = "client/channel/resolver-of-target.ts";

const MAX_FILES = 20;
const MAX_LINES = 400;

/** Files that exceed this limit, until they are divided. */
const STILL_LONG: readonly string[] = [
	"client/call/attempt.ts",
	"client/call/call.ts",
	"client/channel/channel-core.ts",
];

interface Import {
	readonly from: string;
	readonly to: string;
}

const files: readonly string[] = readdirSync(src, { recursive: true })
	.map(String)
	.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));

/** The files that are not generated. */
const written = files.filter((file) => !file.split("/").includes("gen"));

const imports: readonly Import[] = files.flatMap((from) => {
	const text = readFileSync(join(src, from), "utf8");
	const known =
		from === LOADER
			? text.replace(/await import\(\s*"\.\.\/\.\.\/systems\/[^"]+"\s*\)/g, "")
			: text;
	return [...known.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+\.ts)"/g)].map(
		([, path = ""]) => ({
			from,
			to: relative(src, resolve(src, dirname(from), path)),
		}),
	);
});

/** The first folder of a path; "" for an entry point. */
function roomOf(file: string): string {
	return file.includes("/") ? (file.split("/")[0] as string) : "";
}

describe("the source code", () => {
	test("has imports, and the test finds them", () => {
		expect(imports.length).toBeGreaterThan(100);
		for (const { to } of imports) expect(files).toContain(to);
	});

	test("has only the rooms listed above", () => {
		const rooms = new Set(files.map(roomOf));
		rooms.delete("");
		expect([...rooms].filter((room) => !(room in MAY_IMPORT))).toEqual([]);
	});

	test("imports only from rooms that are listed as allowed", () => {
		const against = imports.filter(({ from, to }) => {
			const [room, other] = [roomOf(from), roomOf(to)];
			if (room === "" || room === other) return false;
			// Generated code imports types from the public entry points.
			if (from.includes("/gen/") || to === "generated.ts") return false;
			// Every room may import the version.
			if (to === "version.ts") return false;
			return !MAY_IMPORT[room]?.includes(other);
		});
		expect(against).toEqual([]);
	});

	test.each([
		["client", CLIENT_ROOMS, 100],
		["server", SERVER_ROOMS, 50],
	] as const)(
		"imports only downwards inside the %s",
		(side, rooms, atLeast) => {
			const levelOf = (file: string): number =>
				(rooms as readonly string[]).findIndex((room) => {
					const [, inner = "", rest] = file.split("/");
					return room === (rest === undefined ? "" : inner);
				});
			const inside = imports.filter(
				({ from, to }) => roomOf(from) === side && roomOf(to) === side,
			);
			expect(inside.length).toBeGreaterThan(atLeast);
			expect(inside.filter(({ from }) => levelOf(from) < 0)).toEqual([]);
			expect(
				inside.filter(({ from, to }) => levelOf(to) < levelOf(from)),
			).toEqual([]);
		},
	);

	test("has at most 20 source files in a folder", () => {
		const folders = Map.groupBy(written, dirname);
		const full = [...folders]
			.filter(([, { length }]) => length > MAX_FILES)
			.map(([folder]) => folder);
		expect(full).toEqual([]);
	});

	test("has at most 400 lines in a file", () => {
		const long = written.filter((file) => {
			const text = readFileSync(join(src, file), "utf8");
			return text.trimEnd().split("\n").length > MAX_LINES;
		});
		expect(long.filter((file) => !STILL_LONG.includes(file))).toEqual([]);
	});

	test("has no circular imports", () => {
		const targets = Map.groupBy(imports, ({ from }) => from);
		const done = new Set<string>();
		const path: string[] = [];
		const circles: string[] = [];
		const visit = (file: string): void => {
			if (done.has(file)) return;
			if (path.includes(file)) {
				circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
				return;
			}
			path.push(file);
			for (const { to } of targets.get(file) ?? []) visit(to);
			path.pop();
			done.add(file);
		};
		for (const file of files) visit(file);
		expect(circles).toEqual([]);
	});

	test("states the version of package.json", () => {
		expect(VERSION).toBe(packageJson.version);
	});

	test("depends only on its peer dependencies and Node", async () => {
		for (const entry of [
			"client.ts",
			"server.ts",
			"consul.ts",
			"etcd.ts",
			"options.ts",
			"kubernetes.ts",
		]) {
			expect(await importsOf(entry, "node")).toEqual(
				expect.not.arrayContaining([expect.stringMatching(FOREIGN)]),
			);
		}
	});

	test("adds no server code to a program with only a client", async () => {
		const { inputs } = await bundle("client.ts", "node");
		expect(
			inputs.filter((file) => /^src\/(server|plugin)\//.test(file)),
		).toEqual([]);
	});

	test("loads no discovery system before a target names it", async () => {
		const { metafile } = await build({
			absWorkingDir: dirname(src),
			entryPoints: [join(src, "client.ts")],
			bundle: true,
			splitting: true,
			write: false,
			outdir: "split",
			format: "esm",
			platform: "node",
			packages: "external",
			metafile: true,
		});
		const loaded = new Set<string>();
		const load = (chunk: string): void => {
			if (loaded.has(chunk)) return;
			loaded.add(chunk);
			for (const { path, kind } of metafile.outputs[chunk]?.imports ?? []) {
				if (kind === "import-statement" && path in metafile.outputs) load(path);
			}
		};
		load("split/client.js");
		const filesOf = (chunks: Iterable<string>): string[] =>
			[...chunks].flatMap((chunk) =>
				Object.keys(metafile.outputs[chunk]?.inputs ?? {}).filter((file) =>
					file.startsWith("src/systems/"),
				),
			);
		expect(filesOf(loaded)).toEqual([]);
		expect(filesOf(Object.keys(metafile.outputs))).toContain(
			"src/systems/consul/resolver.ts",
		);
	});

	test("imports nothing from Node in browsers", async () => {
		const external = await importsOf("browser.ts", "browser");
		expect(external.filter((name) => name.startsWith("node:"))).toEqual([]);
		expect(external).toContain("@connectrpc/connect");
	});

	test("exports the same names in browsers", async () => {
		const [node, browser] = await Promise.all([
			import("./client.ts"),
			import("./browser.ts"),
		]);
		expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort());
	});
});

/** A package that is neither a peer dependency nor part of Node. */
const FOREIGN =
	/^(?!node:|@bufbuild\/protobuf(\/|$)|@connectrpc\/connect(\/|$))/;

async function importsOf(
	entry: string,
	platform: "node" | "browser",
): Promise<string[]> {
	return (await bundle(entry, platform)).external;
}

async function bundle(
	entry: string,
	platform: "node" | "browser",
): Promise<{ external: string[]; inputs: string[] }> {
	const { metafile } = await build({
		absWorkingDir: dirname(src),
		entryPoints: [join(src, entry)],
		bundle: true,
		write: false,
		format: "esm",
		platform,
		packages: "external",
		external: ["node:*"],
		metafile: true,
	});
	return {
		inputs: Object.keys(metafile.inputs),
		external: Object.values(metafile.inputs).flatMap((input) =>
			input.imports.filter(({ external }) => external).map(({ path }) => path),
		),
	};
}
