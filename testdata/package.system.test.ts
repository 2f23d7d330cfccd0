/** Compiles generated code with the newest and the oldest supported compiler, which takes a minute. */

import { afterAll, beforeAll } from "vitest";
import { casesWith, testGenerated } from "./generated-code.ts";
import { type PluginBundle, pluginBundle } from "./harness/plugin-bundle.ts";
import { installedProject, type Project } from "./harness/project.ts";

let project: Project;
let bundle: PluginBundle;

beforeAll(async () => {
	[project, bundle] = await Promise.all([installedProject(), pluginBundle()]);
});

afterAll(async () => {
	await project[Symbol.asyncDispose]();
	await bundle[Symbol.asyncDispose]();
});

testGenerated("typescript", await casesWith("run.ts"), () => ({
	project,
	bundle,
}));
testGenerated("typescript-5.8", [], () => ({ project, bundle }));
