/** The docs of options, which editors show. */

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
	return parsed(entry).statements.flatMap((statement) => {
		if (!ts.isExportDeclaration(statement)) return [];
		const { exportClause, moduleSpecifier } = statement;
		if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier)) return [];
		if (!exportClause || !ts.isNamedExports(exportClause)) return [];
		const file = join(dirname(entry), moduleSpecifier.text);
		if (!moduleSpecifier.text.startsWith(".")) return [];
		return exportClause.elements
			.map(({ name }) => ({ file, name: name.text }))
			.filter(({ name }) => OF_OPTIONS.test(name));
	});
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
