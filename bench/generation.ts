/**
 * Measures the plugin: `npm run build && node bench/generation.ts`.
 *
 * First it runs the whole process for one small file, and compares it with a Node that does nothing and with the peers. Then it
 * generates large files with 125 services and more, and compares the time with that of parsing the request and building its
 * registry, which every generator on protobuf-es has to do. Both run in a new process, as plugins do. Subjects take turns in
 * each round, and the medians are printed.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { toBinary } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema } from "@bufbuild/protobuf/wkt";
import { recordRequests } from "../testdata/harness/requests.ts";
import { syntheticRequest } from "../testdata/harness/synthetic.ts";

const ROUNDS = 25;
const LARGE_ROUNDS = 9;

const path = (relative: string): string =>
	fileURLToPath(new URL(`../${relative}`, import.meta.url));

/** Scripts that read a request from standard input and print the CPU time for it in milliseconds. */
const parseAndBuild = `
	import { readFileSync } from "node:fs";
	import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
	import { CodeGeneratorRequestSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
	const bytes = readFileSync(0);
	const before = process.cpuUsage();
	const request = fromBinary(CodeGeneratorRequestSchema, bytes);
	createFileRegistry(create(FileDescriptorSetSchema, { file: request.sourceFileDescriptors }));
	const { user, system } = process.cpuUsage(before);
	console.log((user + system) / 1000);
`;
const generate = `
	import { readFileSync } from "node:fs";
	import { createRequire } from "node:module";
	const { answer } = createRequire(${JSON.stringify(import.meta.url)})("../dist/plugin/protoc-gen-homing.cjs");
	const bytes = readFileSync(0);
	const before = process.cpuUsage();
	answer(bytes);
	const { user, system } = process.cpuUsage(before);
	console.log((user + system) / 1000);
`;

await smallFile();
largeFiles();

async function smallFile(): Promise<void> {
	const { all } = await recordRequests(path("testdata/services/microservice"), [
		"all",
	]);
	const request = toBinary(CodeGeneratorRequestSchema, {
		...all,
		parameter: "",
	});
	const processes = {
		"node -e 0": ["-e", "0"],
		"protoc-gen-homing": [path("bin/protoc-gen-homing")],
		"protoc-gen-es": [path("node_modules/.bin/protoc-gen-es")],
		"ts-proto": [path("node_modules/.bin/protoc-gen-ts_proto")],
	};
	const medians = rounds(ROUNDS, processes, (parameters) => {
		const startedAt = performance.now();
		run(parameters, request);
		return performance.now() - startedAt;
	});
	const [bare = 0] = medians.values();
	console.log("one small file, whole process");
	for (const [name, ms] of medians) {
		console.log(
			`  ${name.padEnd(20)} ${ms.toFixed(1).padStart(7)} ms  ${(ms / bare).toFixed(2).padStart(5)} × node -e 0`,
		);
	}
}

function largeFiles(): void {
	console.log(
		"\none large file, in a new process: CPU time of generating it ÷ CPU time of parsing the request and building its registry",
	);
	for (const services of [125, 250, 500, 1000]) {
		const request = toBinary(
			CodeGeneratorRequestSchema,
			syntheticRequest(services),
		);
		const medians = rounds(
			LARGE_ROUNDS,
			{ parse: parseAndBuild, generate },
			(script) => Number(run(["--input-type=module", "-e", script], request)),
		);
		const [parse = 0, generated = 0] = medians.values();
		console.log(
			`  ${services * 8} methods`.padEnd(22),
			`${generated.toFixed(0).padStart(5)} ms ÷ ${parse.toFixed(0).padStart(5)} ms = ${(generated / parse).toFixed(2)},`,
			`${((generated / services / 8) * 1000).toFixed(0)} µs per method`,
		);
	}
}

/** Measures all subjects in turn in each round, and returns their medians. The first round, with cold caches, is not counted. */
function rounds<Subject>(
	count: number,
	subjects: Readonly<Record<string, Subject>>,
	measure: (subject: Subject) => number,
): Map<string, number> {
	const samples = new Map<string, number[]>();
	for (let round = 0; round <= count; round++) {
		for (const [name, subject] of Object.entries(subjects)) {
			const sample = measure(subject);
			if (round > 0) {
				samples.set(name, [...(samples.get(name) ?? []), sample]);
			}
		}
	}
	return new Map([...samples].map(([name, values]) => [name, median(values)]));
}

function median(values: readonly number[]): number {
	return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function run(parameters: readonly string[], input: Uint8Array): string {
	const { status, stdout, stderr } = spawnSync(process.execPath, parameters, {
		cwd: path("."),
		input,
		maxBuffer: 1 << 28,
	});
	if (status !== 0) {
		throw new Error(`${parameters[0]} failed: ${stderr}`);
	}
	return String(stdout);
}
