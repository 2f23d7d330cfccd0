/** Says which tests `npm test` has not run. */

import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Vitest runs this after all tests. */
export function teardown(): void {
	if (process.env["npm_lifecycle_event"] !== "test") return;
	const left = globSync("{docs,faults,src,testdata}/**/*.system.test.ts", {
		cwd: root,
	});
	console.log(
		`Not run: ${left.length} test files (*.system.test.ts) that need compilers, real registries or peers in other languages, or that take minutes. "npm run test:system" runs these, and "npm run test:all" runs all tests.`,
	);
}
