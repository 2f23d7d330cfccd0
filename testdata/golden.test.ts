import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
	casesDirectory,
	generate,
	goldenCases,
	type Output,
	pluginOptions,
	readGolden,
} from "./harness/golden.ts";
import { type PluginBundle, pluginBundle } from "./harness/plugin-bundle.ts";
import { type Requests, recordRequests } from "./harness/requests.ts";

const cases = await goldenCases();
let bundle: PluginBundle;

beforeAll(async () => {
	bundle = await pluginBundle();
});

afterAll(async () => {
	await bundle[Symbol.asyncDispose]();
});

describe.for(cases)("%s", (golden) => {
	let requests: Requests;
	let parameter: string;
	let output: Output;

	beforeAll(async () => {
		requests = await recordRequests(join(casesDirectory, golden));
		parameter = await pluginOptions(golden);
		output = generate(bundle, requests.all, parameter);
	});

	it("generates the golden files and no others (npm run golden updates them)", async () => {
		expect(sorted(output)).toEqual(sorted(await readGolden(golden)));
	});

	it("generates the same bytes whatever the order of the files to generate", () => {
		const fileToGenerate = requests.all.fileToGenerate.toReversed();
		expect(
			sorted(generate(bundle, { ...requests.all, fileToGenerate }, parameter)),
		).toEqual(sorted(output));
	});

	it("generates the same bytes when asked for one directory at a time", () => {
		const outputs = requests.directories.flatMap((request) => [
			...generate(bundle, request, parameter),
		]);
		expect(sorted(new Map(outputs))).toEqual(sorted(output));
	});

	it("generates the same bytes when asked for one file at a time", () => {
		const outputs = requests.all.fileToGenerate.flatMap((file) => [
			...generate(
				bundle,
				{ ...requests.all, fileToGenerate: [file] },
				parameter,
			),
		]);
		expect(sorted(new Map(outputs))).toEqual(sorted(output));
	});
});

function sorted(output: Output): [string, string][] {
	return [...output].sort(([a], [b]) => (a < b ? -1 : 1));
}
