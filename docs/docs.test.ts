import {
	type ChildProcess,
	execFileSync,
	spawn,
	spawnSync,
} from "node:child_process";
import { once } from "node:events";
import {
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const PAGES = ["docs/client.md", "docs/server.md", "docs/connect.md"];

interface Snippet {
	readonly file: string;
	readonly text: string;
}

/** Fenced blocks whose first line names a file: "```ts client.ts". */
function snippetsOf(page: string): Snippet[] {
	const text = readFileSync(join(root, page), "utf8");
	return [...text.matchAll(/^```\w+ (\S+)\n(.*?)^```$/gms)].map(
		([, file = "", text = ""]) => ({ file, text }),
	);
}

const directories: string[] = [];
afterAll(() => {
	for (const directory of directories) {
		rmSync(directory, { recursive: true });
	}
});

/** A project with what a page shows, on top of the README's service. */
function project(snippets: readonly Snippet[]): string {
	const directory = mkdtempSync(join(tmpdir(), "homing-docs-"));
	directories.push(directory);
	const all = [
		{ file: "package.json", text: '{ "type": "module" }' },
		...snippetsOf("README.md").filter(({ file }) => !file.endsWith(".ts")),
		...snippets,
	];
	for (const { file, text } of all) {
		mkdirSync(join(directory, dirname(file)), { recursive: true });
		writeFileSync(join(directory, file), text);
	}
	mkdirSync(join(directory, "node_modules"));
	symlinkSync(root, join(directory, "node_modules/homing"));
	for (const name of ["@bufbuild", "@connectrpc", "@types"]) {
		symlinkSync(join(modules, name), join(directory, "node_modules", name));
	}
	execFileSync(join(modules, ".bin/buf"), ["generate"], {
		cwd: directory,
		env: {
			...process.env,
			PATH: [
				join(root, "bin"),
				join(modules, ".bin"),
				process.env["PATH"],
			].join(delimiter),
		},
	});
	return directory;
}

function typeCheck(directory: string, files: readonly string[]): void {
	const options =
		"--noEmit --strict --target es2023 --lib es2024,esnext.disposable,dom,dom.asynciterable --types node --module nodenext --skipLibCheck --allowImportingTsExtensions --erasableSyntaxOnly --preserveSymlinks";
	const { status, stdout } = spawnSync(
		join(modules, ".bin/tsc"),
		[...options.split(" "), ...files],
		{ cwd: directory, encoding: "utf8" },
	);
	expect(status, stdout).toBe(0);
}

async function run(directory: string, file: string): Promise<string> {
	const child = start(directory, file);
	let output = "";
	child.stdout?.on("data", (text) => {
		output += text;
	});
	child.stderr?.on("data", (text) => {
		output += text;
	});
	const [code] = await once(child, "close");
	expect(code, output).toBe(0);
	return output;
}

function start(directory: string, file: string): ChildProcess {
	return spawn(process.execPath, ["--preserve-symlinks", file], {
		cwd: directory,
		stdio: ["ignore", "pipe", "pipe"],
	});
}

/** What the README has is somebody else's, for all a test knows. */
async function freePort(): Promise<string> {
	const probe = createServer().listen(0, "127.0.0.1");
	await once(probe, "listening");
	const { port } = probe.address() as AddressInfo;
	probe.close();
	await once(probe, "close");
	return String(port);
}

describe("README.md", () => {
	const snippets = snippetsOf("README.md");
	const code = snippets.filter(({ file }) => file.endsWith(".ts"));

	test("shows a first project that compiles, serves, calls and tests itself", async () => {
		const port = await freePort();
		const directory = project(
			code.map(({ file, text }) => ({
				file,
				text: text.replaceAll("50051", port),
			})),
		);
		typeCheck(
			directory,
			code.map(({ file }) => file),
		);
		const server = start(directory, "server.ts");
		try {
			const [line] = await once(server.stdout as NodeJS.ReadableStream, "data");
			expect(String(line)).toBe(`listening on 127.0.0.1:${port}\n`);
			expect(await run(directory, "client.ts")).toBe("Hello, Ada!\n");
		} finally {
			server.kill("SIGTERM");
			await once(server, "close");
		}
		expect(server.exitCode).toBe(0);
		await run(directory, "greeter.test.ts");
	});

	test("names pages that are there", () => {
		const text = readFileSync(join(root, "README.md"), "utf8");
		const links = [...text.matchAll(/\]\((docs\/[^)]+)\)/g)].map(
			([, link = ""]) => link,
		);
		expect(links).toEqual(expect.arrayContaining(PAGES));
		for (const link of links) readFileSync(join(root, link));
	});
});

describe.each(PAGES)("%s", (page) => {
	const snippets = snippetsOf(page);

	test("shows programs that compile and run", async () => {
		expect(snippets).not.toEqual([]);
		const directory = project(snippets);
		typeCheck(
			directory,
			snippets.map(({ file }) => file),
		);
		for (const { file } of snippets) await run(directory, file);
	});
});
