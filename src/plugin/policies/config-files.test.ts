import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigFiles } from "./config-files.ts";

let directory: string;

beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "homing-config-"));
});

afterAll(() => rmSync(directory, { recursive: true }));

describe("ConfigFiles", () => {
	it("picks the entry of the method, or else of its service, or else the default", () => {
		const configs = read({
			methodConfig: [
				{ name: [{}], timeout: "1s" },
				{ name: [{ service: "a.A" }], timeout: "2s" },
				{ name: [{ service: "a.A", method: "Get" }], timeout: "3s" },
			],
		});
		expect(configs.method("a.A", "Get")).toMatchObject({
			scope: "method",
			policy: { timeoutMs: 3000 },
		});
		expect(configs.method("a.A", "Put")).toMatchObject({
			scope: "service",
			policy: { timeoutMs: 2000 },
		});
		expect(configs.method("b.B", "Get")).toMatchObject({
			scope: "default",
			policy: { timeoutMs: 1000 },
		});
	});

	it("has no policy for a service that no config names", () => {
		const configs = read({
			methodConfig: [{ name: [{ service: "a.A", method: "Get" }] }],
		});
		expect(configs.method("a.A", "Put")).toBeUndefined();
		expect(configs.channel("a.A")).toEqual({});
	});

	it("configures the channels only of the services that a config names", () => {
		const retryThrottling = { maxTokens: 10, tokenRatio: 0.5 };
		const configs = read({
			methodConfig: [{ name: [{ service: "a.A", method: "Get" }] }],
			retryThrottling,
		});
		expect(configs.channel("a.A")).toEqual({ retryThrottling });
		expect(configs.channel("a.AB")).toEqual({});
	});

	it("refuses two files with policies of the same name, and the error names both files", () => {
		const named = { methodConfig: [{ name: [{ service: "a.A" }] }] };
		expect(() => read(named, named)).toThrow(
			/0\.json and .*1\.json both hold a policy of a\.A/,
		);
	});

	it("refuses two files that configure the same channel, and the error names both files", () => {
		const healthCheckConfig = { serviceName: "" };
		const configs = read(
			{
				methodConfig: [{ name: [{ service: "a.A", method: "Get" }] }],
				healthCheckConfig,
			},
			{
				methodConfig: [{ name: [{ service: "a.A", method: "Put" }] }],
				healthCheckConfig,
			},
		);
		expect(() => configs.channel("a.A")).toThrow(
			/0\.json and .*1\.json both configure the channel of a\.A/,
		);
	});

	it("says which file cannot be read", () => {
		expect(() => open("nowhere.json")).toThrow(
			/^grpc_service_config=.*nowhere\.json: ENOENT/,
		);
	});

	it("says which file is not JSON", () => {
		writeFileSync(join(directory, "broken.json"), "{ methodConfig: [] }");
		expect(() => open("broken.json")).toThrow(
			/^grpc_service_config=.*broken\.json: .*JSON/,
		);
	});

	it("says which policy in which file is invalid", () => {
		expect(() =>
			read({ methodConfig: [{ name: [{}], timeout: "soon" }] }),
		).toThrow(/0\.json: methodConfig\[0\]\.timeout: "soon" is not a duration/);
	});
});

function read(...configs: readonly object[]): ConfigFiles {
	const names = configs.map((config, index) => {
		const name = `${index}.json`;
		writeFileSync(join(directory, name), JSON.stringify(config));
		return name;
	});
	return open(...names);
}

function open(...names: readonly string[]): ConfigFiles {
	return new ConfigFiles({
		emit: "both",
		grpcServiceConfig: names.map((name) => join(directory, name)),
		retryMaxAttempts: undefined,
	});
}
