/** The docs of public symbols, which editors show. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript-5.8";
import { describe, expect, test } from "vitest";

import { balancerNames } from "./balancer/policies.ts";
import type { ChannelOptions } from "./client.ts";

const src = fileURLToPath(new URL(".", import.meta.url));

/** The names of types that hold options. */
const OF_OPTIONS =
	/(Options|Policy|Keepalive|Ejection|Throttling|ServiceConfig|Backoff)$/;

interface Option {
	readonly name: string;
	readonly type: string;
	readonly optional: boolean;
	/** The docs, in one line. */
	readonly doc: string;
}

function parsed(file: string): ts.SourceFile {
	const text = readFileSync(join(src, file), "utf8");
	return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
}

/** The option types that an entry point exports, with their files. */
function exportedTypes(entry: string): { file: string; name: string }[] {
	return exportsOf(entry).filter(({ name }) => OF_OPTIONS.test(name));
}

/** What an entry point exports from files of this package. */
function exportsOf(entry: string): { file: string; name: string }[] {
	return parsed(entry).statements.flatMap((statement) => {
		if (!ts.isExportDeclaration(statement)) return [];
		const { exportClause, moduleSpecifier } = statement;
		if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) return [];
		if (!exportClause || !ts.isNamedExports(exportClause)) return [];
		const file = join(dirname(entry), moduleSpecifier.text);
		if (!moduleSpecifier.text.startsWith(".")) return [];
		return exportClause.elements.map(({ name }) => ({ file, name: name.text }));
	});
}

/** A symbol and its members, as far as they have no docs. */
function bareNames(file: string, name: string): string[] {
	const source = parsed(file);
	const found = source.statements.find((statement) =>
		ts.isVariableStatement(statement)
			? statement.declarationList.declarations.some(
					(declaration) => declaration.name.getText(source) === name,
				)
			: (statement as { name?: ts.Node }).name?.getText(source) === name,
	);
	if (found === undefined) return [`${file}: no ${name}`];
	const isBare = (node: ts.Node): boolean =>
		ts.getJSDocCommentsAndTags(node).length === 0;
	const members =
		ts.isInterfaceDeclaration(found) || ts.isClassDeclaration(found)
			? [...found.members]
			: [];
	return [
		...(isBare(found) ? [`${file}: ${name}`] : []),
		...members
			.filter(isBare)
			.filter(({ name }) => name === undefined || !ts.isPrivateIdentifier(name))
			.filter((member) => !ts.isConstructorDeclaration(member))
			.map((member) => member.name?.getText(source) ?? "()")
			.filter((member) => !PLAIN.includes(member))
			.map((member) => `${file}: ${name}.${member}`),
	];
}

function optionsOf(file: string, type: string): Option[] {
	const source = parsed(file);
	const found = source.statements.find(
		(statement) =>
			ts.isInterfaceDeclaration(statement) && statement.name.text === type,
	);
	if (!found) return [];
	return (found as ts.InterfaceDeclaration).members
		.filter(ts.isPropertySignature)
		.map((member) => {
			const [doc] = ts.getJSDocCommentsAndTags(member);
			return {
				name: member.name.getText(source),
				type: member.type?.getText(source) ?? "",
				optional: member.questionToken !== undefined,
				doc: (ts.getTextOfJSDocComment(doc?.comment) ?? "").replace(
					/\s+/g,
					" ",
				),
			};
		});
}

const entries = [
	"client.ts",
	"server.ts",
	"consul.ts",
	"etcd.ts",
	"kubernetes.ts",
];
const types = new Map(
	entries
		.flatMap(exportedTypes)
		.map(({ file, name }) => [name, optionsOf(file, name)] as const)
		.filter(([, options]) => options.length > 0),
);

test("the test finds the option types", () => {
	expect([...types.keys()]).toEqual(
		expect.arrayContaining([
			"ChannelOptions",
			"ClientOptions",
			"CallOptions",
			"MethodPolicy",
			"RetryPolicy",
			"ServerOptions",
			"CircuitBreakerOptions",
			"OutlierDetectionOptions",
			"ConsulResolverOptions",
		]),
	);
});

describe.for([...types])("the docs of %s", ([, options]) => {
	test.for(options.map((option) => [option.name, option] as const))(
		"describe %s, with its unit and its default",
		([name, { type, optional, doc }]) => {
			expect(doc).toMatch(/^\S.*\.$/);
			if (optional && /\b(number|boolean|Duration)\b/.test(type)) {
				expect(doc).toMatch(/\bDefault: /);
			}
			if (/\bDuration\b/.test(type) || name.endsWith("Ms")) {
				expect(doc).toContain("milliseconds");
			}
			if (/Bytes/.test(name)) expect(doc).toMatch(/\bbytes\b/i);
		},
	);
});

/** Members that need no docs: they are what their names say, or are described by their class. */
const PLAIN = ["name", "kind", "[Symbol.asyncDispose]"];

describe("public symbols", () => {
	const symbols = entries.flatMap((entry) =>
		exportsOf(entry).map(({ file, name }) => ({ file, name })),
	);

	test("are found by the test", () => {
		expect(symbols.length).toBeGreaterThan(80);
	});

	test("have docs", () => {
		const bare = symbols.flatMap(({ file, name }) => bareNames(file, name));
		expect(bare).toEqual([]);
	});
});

test("editors complete the names of balancers", () => {
	type Literal<T> = T extends string ? (string extends T ? never : T) : never;
	// If the type were just string, these names would not compile.
	const completed: Literal<ChannelOptions["balancer"]>[] = [
		"least_request",
		"pick_first",
		"ring_hash",
		"round_robin",
	];
	expect(completed).toEqual([...balancerNames()].sort());
});
