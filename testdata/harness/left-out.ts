/** Says what `npm test` has left out. */

import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Run by vitest, once all tests have been. */
export function teardown(): void {
	if (process.env["npm_lifecycle_event"] !== "test") return;
	const left = globSync("{docs,faults,src,testdata}/**/*.system.test.ts", {
		cwd: root,
	});
	console.log(
		`Left out: ${left.length} files of tests (*.system.test.ts) that need compilers, real registries, peers in other languages, or minutes. "npm run test:system" runs these, "npm run test:all" all.`,
	);
}
