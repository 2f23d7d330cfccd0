import type { EcmaScriptPluginOptions } from "@bufbuild/protoplugin";

export type PathOptions = Pick<
	EcmaScriptPluginOptions,
	"importExtension" | "rewriteImports"
>;

const RELATIVE = /^\.{1,2}\//;

/**
 * Returns the module specifier to write after `from`, by the options
 * `rewrite_imports` and `import_extension` of protoplugin.
 *
 * @param module a package, or a path from the root of the output that starts
 * with `./` and ends with `.js`
 * @param importer the path of the importing file, from the root of the output
 */
export function modulePath(
	module: string,
	importer: string,
	{ importExtension, rewriteImports }: PathOptions,
): string {
	const rewritten = rewrite(module, rewriteImports);
	if (!RELATIVE.test(rewritten)) {
		return rewritten;
	}
	const extension = importExtension === "none" ? "" : `.${importExtension}`;
	return relativeTo(importer, rewritten.replace(/\.js$/, extension));
}

/** Applies the first rule whose pattern matches. In a relative path, the rule's target replaces the root. */
function rewrite(module: string, rules: PathOptions["rewriteImports"]): string {
	const rule = rules.find(({ pattern }) => matches(module, pattern));
	if (rule === undefined) {
		return module;
	}
	return RELATIVE.test(module)
		? rule.target.replace(/\/$/, "") + module.replace(RELATIVE, "/")
		: rule.target;
}

/** Whether a pattern matches: `*` matches any text within one part of the path, and `**` matches any number of parts. */
function matches(module: string, pattern: string): boolean {
	const source = pattern
		.split(/(\*\*\/|\*)/)
		.map((part) => {
			switch (part) {
				case "**/":
					return "(?:[^/]+/)*";
				case "*":
					return "[^/]*";
				default:
					return part.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
			}
		})
		.join("");
	return new RegExp(`^${source}$`).test(module);
}

function relativeTo(importer: string, module: string): string {
	const from = importer.split("/").slice(0, -1);
	const to = module.replace(/^\.\//, "").split("/");
	let shared = 0;
	while (shared < from.length && from[shared] === to[shared]) {
		shared++;
	}
	const path = [...from.slice(shared).map(() => ".."), ...to.slice(shared)];
	return path[0] === ".." ? path.join("/") : `./${path.join("/")}`;
}
