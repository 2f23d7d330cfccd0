import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test, vi } from "vitest";
import { answer, serveStreams } from "../../testdata/harness/http2-server.ts";

/** A timeout for starting a program and stripping its types on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = (file: string): string =>
	JSON.stringify(new URL(file, import.meta.url).href);

/** Returns the files of src/systems that a program has loaded, and its output. */
async function loaded(
	target: string,
): Promise<{ files: string[]; said: string }> {
	const child = spawn(
		process.execPath,
		[
			"--experimental-strip-types",
			"--no-warnings",
			"--input-type=module",
			"--eval",
			`
			import { registerHooks } from "node:module";
			const files = new Set();
			registerHooks({
				load: (url, context, next) => {
					files.add(url);
					return next(url, context);
				},
			});
			const { newClient } = await import(${here("../client.ts")});
			const { EchoService } = await import(${here("../../testdata/services/gen/echo/echo_pb.ts")});
			const echo = newClient(EchoService, ${JSON.stringify(target)});
			const said = await echo.echo({}).then(() => "answered", ({ rawMessage }) => rawMessage);
			console.log(JSON.stringify({ files: [...files], said }));
			`,
		],
		{ stdio: ["ignore", "pipe", "inherit"], timeout: 80_000 },
	);
	let output = "";
	child.stdout.on("data", (chunk) => {
		output += chunk;
	});
	await once(child, "close");
	const { files, said } = JSON.parse(output) as {
		files: string[];
		said: string;
	};
	expect(files.some((file) => file.endsWith("/src/client/channel.ts"))).toBe(
		true,
	);
	return {
		files: files.flatMap((file) => file.split("/src/systems/").slice(1)),
		said,
	};
}

test("a program that calls by DNS loads no file of any system", async () => {
	await using server = await serveStreams((stream) => answer(stream));
	expect(await loaded(`dns:///localhost:${server.port}`)).toEqual({
		files: [],
		said: "answered",
	});
});

test.each([
	["consul", "consul://127.0.0.1:1/payment"],
	["etcd", "etcd://127.0.0.1:1/payment"],
	["kubernetes", "kubernetes://127.0.0.1:1/payment.shop"],
])(
	"a program that calls by %s loads no file of the other systems",
	async (system, target) => {
		const { files, said } = await loaded(target);
		expect(said).toContain("ECONNREFUSED");
		const folders = new Set(
			files.map((file) => file.split("/").slice(0, -1)[0]),
		);
		folders.delete(undefined);
		expect([...folders]).toEqual([system]);
	},
);

test("homing refers to the discovery systems only by dynamic imports", async () => {
	const { metafile } = await build({
		absWorkingDir: root,
		entryPoints: ["src/client.ts"],
		bundle: true,
		write: false,
		format: "esm",
		platform: "node",
		packages: "external",
		metafile: true,
	});
	const reached = new Set<string>();
	const dynamic: string[] = [];
	const visit = (file: string): void => {
		if (reached.has(file)) return;
		reached.add(file);
		for (const { path, kind, external } of metafile.inputs[file]?.imports ??
			[]) {
			if (external) continue;
			if (kind === "dynamic-import") dynamic.push(path);
			else visit(path);
		}
	};
	visit("src/client.ts");
	expect(reached.size).toBeGreaterThan(100);
	expect(
		[...reached].filter((file) => file.startsWith("src/systems/")),
	).toEqual([]);
	expect(dynamic.sort()).toEqual([
		"src/systems/consul/resolver.ts",
		"src/systems/etcd/resolver.ts",
		"src/systems/kubernetes/resolver.ts",
	]);
});
