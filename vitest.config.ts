import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (file: string): string =>
	fileURLToPath(new URL(`./src/${file}`, import.meta.url));

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
		include: [
			"docs/*.test.ts",
			"src/**/*.test.ts",
			"testdata/**/*.test.ts",
			"examples/**/*.test.ts",
			"faults/**/*.test.ts",
			"simulation/**/*.test.ts",
		],
		testTimeout: 30_000,
		hookTimeout: 300_000,
	},
});
