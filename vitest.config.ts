import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (file: string): string =>
	fileURLToPath(new URL(`./src/${file}`, import.meta.url));

/**
 * Tests that need programs in other languages or real registries, or that take minutes: `npm run test:system`. All other
 * tests need only Node: `npm test`.
 */
const SYSTEM = "**/*.system.test.ts";

/** Installed packages and programs, and build output. */
const elsewhere = ["**/node_modules/**", "dist/**", ".cache/**"];

export default defineConfig({
	resolve: {
		alias: [
			{ find: /^homing$/, replacement: source("client.ts") },
			{ find: /^homing\/server$/, replacement: source("server.ts") },
			{ find: /^homing\/consul$/, replacement: source("consul.ts") },
			{ find: /^homing\/etcd$/, replacement: source("etcd.ts") },
			{ find: /^homing\/kubernetes$/, replacement: source("kubernetes.ts") },
			{ find: /^homing\/options$/, replacement: source("options.ts") },
		],
	},
	test: {
		testTimeout: 30_000,
		hookTimeout: 300_000,
		// Many tests wait for time to pass, or for a process.
		maxWorkers: 2 * availableParallelism(),
		projects: [
			{
				extends: true,
				test: {
					name: "quick",
					// A separate process for each of 200 files would take half a minute longer.
					isolate: false,
					setupFiles: "testdata/harness/fresh-file.ts",
					include: ["**/*.test.ts"],
					exclude: [SYSTEM, ...elsewhere],
					globalSetup: "testdata/harness/left-out.ts",
				},
			},
			{
				extends: true,
				test: { name: "system", include: [SYSTEM], exclude: elsewhere },
			},
		],
	},
});
