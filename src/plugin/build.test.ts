import { mkdtemp, readFile, rm } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VERSION } from "../version.ts";
import { buildPlugin } from "./build.ts";

describe("the bundle", () => {
	let directory: string;
	let bundle: string;

	beforeAll(async () => {
		directory = await mkdtemp(join(tmpdir(), "homing-bundle-"));
		await buildPlugin(directory);
		bundle = await readFile(join(directory, "protoc-gen-homing.cjs"), "utf8");
	});

	afterAll(() => rm(directory, { recursive: true }));

	it("requires only modules of Node", () => {
		const required = [...bundle.matchAll(/\brequire\("([^"]+)"\)/g)];
		expect(required.map(([, name = ""]) => name)).not.toHaveLength(0);
		for (const [, name = ""] of required) {
			expect(isBuiltin(name), name).toBe(true);
		}
	});

	it("is small, because it does not contain the compiler", () => {
		expect(bundle.length).toBeLessThan(400_000);
	});

	it("comes with the licences of all packages in it", async () => {
		const licences = await readFile(join(directory, "LICENSES.txt"), "utf8");
		const packages = [
			...bundle.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)/gm),
		];
		expect(packages.length).toBeGreaterThan(2);
		for (const [, name = ""] of packages) {
			expect(licences).toContain(`${name} `);
		}
		expect(licences).toContain("Apache License");
		expect(licences).toContain("Copyright 2008 Google Inc.");
		expect(licences).toContain("Buf Technologies, Inc.");
		expect(licences).toContain("The Connect Authors");
	});

	it("has the version of the package", async () => {
		const path = new URL("../../package.json", import.meta.url);
		const manifest = JSON.parse(await readFile(path, "utf8"));
		expect(VERSION).toBe(manifest.version);
	});
});
