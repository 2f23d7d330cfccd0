/** The oldest compiler that the generated code is for, which takes half a minute. */

import { afterAll, beforeAll } from "vitest";
import { testGenerated } from "./generated-code.ts";
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

testGenerated("typescript-5.8", [], () => ({ project, bundle }));
