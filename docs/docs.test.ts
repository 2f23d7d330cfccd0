import { once } from "node:events";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { DocsProject, snippetsOf } from "../testdata/harness/docs-project.ts";
import { freePort } from "../testdata/harness/free-port.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The pages whose programs need only homing. */
const PAGES = ["docs/client.md", "docs/server.md", "docs/connect.md"];

/** Generating and compiling a project takes seconds. */
const timeout = 120_000;

describe("README.md", { timeout }, () => {
	test("shows a first project that compiles, serves, calls and tests itself", async () => {
		const port = String(await freePort());
		using project = new DocsProject(
			snippetsOf("README.md")
				.filter(({ file }) => file.endsWith(".ts"))
				.map(({ file, text }) => ({
					file,
					text: text
						.replaceAll("50051", port)
						// The machine may be busy.
						.replaceAll('"2s"', '"60s"'),
				})),
		);
		project.typeCheck();
		const server = project.start("server.ts");
		try {
			const [line] = await once(server.stdout as NodeJS.ReadableStream, "data");
			expect(String(line)).toBe(`listening on 127.0.0.1:${port}\n`);
			expect(await project.run("client.ts")).toBe("Hello, Ada!\n");
		} finally {
			server.kill("SIGTERM");
			await once(server, "close");
		}
		expect(server.signalCode).toBe("SIGTERM");
		await project.run("greeter.test.ts");
	});

	test("links to pages that exist", () => {
		const text = readFileSync(`${root}README.md`, "utf8");
		const links = [...text.matchAll(/\]\((docs\/[^)]+)\)/g)].map(
			([, link = ""]) => link,
		);
		expect(links).toEqual(expect.arrayContaining(PAGES));
		for (const link of links) readFileSync(root + link);
	});
});

/** The ids of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
	return [...readFileSync(root + page, "utf8").matchAll(/^#+ (.*)$/gm)].map(
		([, heading = ""]) =>
			heading
				.toLowerCase()
				.replace(/[^\w\s-]/g, "")
				.replaceAll(" ", "-"),
	);
}

test.each(globSync("{*.md,docs/*.md,bench/*.md}", { cwd: root }))(
	"%s links to pages and headings that exist",
	(page) => {
		const text = readFileSync(root + page, "utf8");
		for (const [, link = "", id] of text.matchAll(
			/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g,
		)) {
			const target = link === "" ? page : join(dirname(page), link);
			expect(existsSync(root + target), target).toBe(true);
			if (id !== undefined) expect(anchorsOf(target)).toContain(id);
		}
	},
);

describe.each(PAGES)("%s", { timeout }, (page) => {
	test("shows programs that compile and run", async () => {
		const snippets = snippetsOf(page);
		expect(snippets).not.toEqual([]);
		using project = new DocsProject(snippets);
		project.typeCheck();
		for (const { file } of snippets) await project.run(file);
	});
});
