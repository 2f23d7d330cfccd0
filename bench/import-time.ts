import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Effort, Finding, Group } from "./group.ts";
import { alternate, type Series } from "./series.ts";

const run = promisify(execFile);

/** The directory in which "homing" is this package and the peers are installed. */
const root = fileURLToPath(new URL("..", import.meta.url));

/** What generated messages import, with every library. */
const MESSAGES = ["@bufbuild/protobuf", "@bufbuild/protobuf/codegenv2"];

/** What a program with a client imports. */
const IMPORTS = {
	"node:http2": ["node:http2"],
	homing: ["homing"],
	"grpc-js": ["@grpc/grpc-js"],
	"nice-grpc": ["nice-grpc"],
	"connect-node": ["@connectrpc/connect", "@connectrpc/connect-node"],
} as const;

type Contestant = keyof typeof IMPORTS;

export const importTime: Group = { name: "import", run: measureImports };

async function measureImports({ rounds }: Effort): Promise<Finding[]> {
	const contestants = Object.keys(IMPORTS) as Contestant[];
	await alternate(contestants, 1, cpuOfImport);
	const series: Series = await alternate(contestants, rounds, cpuOfImport);
	return [
		{
			key: "import/cpu",
			title: "client: CPU of importing it, in a fresh process",
			base: "grpc-js",
			series,
		},
	];
}

/** Imports modules in a new process, and returns the CPU time in milliseconds. */
async function cpuOfImport(contestant: Contestant): Promise<number> {
	const imports = [...MESSAGES, ...IMPORTS[contestant]].map(
		(name) => `await import(${JSON.stringify(name)});`,
	);
	const program = `
		const before = process.cpuUsage();
		${imports.join("\n")}
		const { user, system } = process.cpuUsage(before);
		console.log((user + system) / 1000);`;
	const { stdout } = await run(
		process.execPath,
		["--input-type=module", "--eval", program],
		{ cwd: root },
	);
	return Number(stdout);
}
