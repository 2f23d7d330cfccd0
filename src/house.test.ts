import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { VERSION } from "./version.ts";

const src = fileURLToPath(new URL(".", import.meta.url));

/** What each room may import; itself always. The plugin shares the words of policies with the runtime, and nothing else. */
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

/** The rooms inside of the client, from the highest to the lowest: each may import those below it. */
const CLIENT_ROOMS = [
	"",
	"transport",
	"call",
	"channel",
	"endpoint",
	"options",
] as const;

/** The one file that points up: it loads the systems of string targets, and only when one is used. */
const LOADER = "client/channel/resolver-of-target.ts";

interface Import {
	readonly from: string;
	readonly to: string;
}

const files: readonly string[] = readdirSync(src, { recursive: true })
	.map(String)
	.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));

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

describe("the house", () => {
	test("has imports to look at", () => {
		expect(imports.length).toBeGreaterThan(100);
		for (const { to } of imports) expect(files).toContain(to);
	});

	test("has only rooms that the design knows", () => {
		const rooms = new Set(files.map(roomOf));
		rooms.delete("");
		expect([...rooms].filter((room) => !(room in MAY_IMPORT))).toEqual([]);
	});

	test("imports point one way", () => {
		const against = imports.filter(({ from, to }) => {
			const [room, other] = [roomOf(from), roomOf(to)];
			if (room === "" || room === other) return false;
			// Generated code stands on the public face, by its types.
			if (from.includes("/gen/") || to === "generated.ts") return false;
			// Every room may say which version it is of.
			if (to === "version.ts") return false;
			return !MAY_IMPORT[room]?.includes(other);
		});
		expect(against).toEqual([]);
	});

	test("imports inside the client point down", () => {
		const levelOf = (file: string): number =>
			CLIENT_ROOMS.findIndex((room) => {
				const [, inner = "", rest] = file.split("/");
				return room === (rest === undefined ? "" : inner);
			});
		const inside = imports.filter(
			({ from, to }) => roomOf(from) === "client" && roomOf(to) === "client",
		);
		expect(inside.length).toBeGreaterThan(100);
		expect(inside.filter(({ from }) => levelOf(from) < 0)).toEqual([]);
		expect(
			inside.filter(({ from, to }) => levelOf(to) < levelOf(from)),
		).toEqual([]);
	});

	test("has no circle of files", () => {
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

	test("has the version of the package", () => {
		expect(VERSION).toBe(packageJson.version);
	});

	test("depends on nothing at run time but its peers and Node", async () => {
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

	test("brings no server code into a program that only calls", async () => {
		const { inputs } = await bundle("client.ts", "node");
		expect(
			inputs.filter((file) => /^src\/(server|plugin)\//.test(file)),
		).toEqual([]);
	});

	test("loads no system before a target names it", async () => {
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

	test("brings no Node import into the browser", async () => {
		const external = await importsOf("browser.ts", "browser");
		expect(external.filter((name) => name.startsWith("node:"))).toEqual([]);
		expect(external).toContain("@connectrpc/connect");
	});

	test("has the same names in the browser", async () => {
		const [node, browser] = await Promise.all([
			import("./client.ts"),
			import("./browser.ts"),
		]);
		expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort());
	});
});

/** No peer, no built-in of Node. */
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
