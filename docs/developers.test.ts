/** The pages for developers of homing name files, commands and classes that exist. */

import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import packageJson from "../package.json" with { type: "json" };

const root = fileURLToPath(new URL("..", import.meta.url));

const PAGES = ["CONTRIBUTING.md", "docs/inside.md", "bench/README.md"];

/** Names of other software that look like classes. */
const FOREIGN = ["CodeGeneratorRequest", "CodeGeneratorResponse"];

/** What a page has in backticks, and the lines of its code blocks. */
function codeOf(text: string): { spans: string[]; blocks: string[] } {
	const blocks = [...text.matchAll(/^```\w*\n(.*?)^```$/gms)].flatMap(
		([, block = ""]) => block.trim().split("\n"),
	);
	const prose = text.replace(/^```.*?^```$/gms, "");
	const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
	return { spans, blocks };
}

/** The names of classes, interfaces, types and functions that the sources declare. */
const declared: ReadonlySet<string> = new Set(
	globSync("src/**/*.ts", { cwd: root })
		.filter((file) => !file.endsWith(".test.ts"))
		.flatMap((file) => [
			...readFileSync(join(root, file), "utf8").matchAll(
				/^export (?:class|interface|type|function|const) (\w+)/gm,
			),
		])
		.map(([, name = ""]) => name),
);

describe.each(PAGES)("%s", (page) => {
	const text = readFileSync(join(root, page), "utf8");
	const { spans, blocks } = codeOf(text);

	test("names files and folders that exist", () => {
		const paths = spans.filter((code) =>
			/^(src|docs|testdata|bench|faults|simulation|\.ci)(\/[\w./-]+)?$/.test(
				code,
			),
		);
		expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
	});

	test("shows scripts of package.json, and tests that exist", () => {
		const code = [...spans, ...blocks];
		const scripts = code.flatMap((line) =>
			[...line.matchAll(/npm (?:run )?((?!run|ci|install)[\w:]+)/g)].map(
				([, script = ""]) => script,
			),
		);
		expect(scripts).not.toEqual([]);
		expect(
			scripts.filter((script) => !(script in packageJson.scripts)),
		).toEqual([]);
		const tested = code.flatMap((line) =>
			[...line.matchAll(/vitest run --project=quick (\S+)/g)].map(
				([, path = ""]) => path,
			),
		);
		expect(tested.filter((path) => !existsSync(join(root, path)))).toEqual([]);
	});
});

test("docs/inside.md describes every room", () => {
	const page = readFileSync(join(root, "docs/inside.md"), "utf8");
	const rooms = ["", "client/", "server/"].flatMap((parent) =>
		readdirSync(join(root, "src", parent), { withFileTypes: true })
			.filter((entry) => entry.isDirectory() && entry.name !== "gen")
			.map(({ name }) => `${parent}${name}`),
	);
	expect(rooms).toContain("client/endpoint");
	const isDescribed = (room: string): boolean =>
		room.includes("/")
			? page.includes(`| \`src/${room}\``)
			: page.includes(`  ${room}["${room}<br/>`);
	expect(rooms.filter((room) => !isDescribed(room))).toEqual([]);
});

test("docs/inside.md names classes and functions that exist", () => {
	const { spans, blocks } = codeOf(
		readFileSync(join(root, "docs/inside.md"), "utf8"),
	);
	const names = [...spans, ...blocks].flatMap((code) => [
		...(code.match(/\b(?:[A-Z][a-z]+){2,}\b/g) ?? []),
		...(code.match(/\b[a-z]+(?:[A-Z][a-z]+)+\b/g) ?? []),
		...(code.match(/^[A-Z][a-z]+$/g) ?? []),
	]);
	expect(names).toContain("ChannelCore");
	expect(
		names.filter((name) => !declared.has(name) && !FOREIGN.includes(name)),
	).toEqual([]);
});
