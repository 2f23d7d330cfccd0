import { describe, expect, it } from "vitest";
import { assertStandardValues, parseHomingOptions } from "./options.ts";

describe("parseHomingOptions", () => {
	it("has defaults for all options", () => {
		expect(parseHomingOptions([])).toEqual({
			emit: "both",
			grpcServiceConfig: [],
			retryMaxAttempts: undefined,
		});
	});

	it("collects configs in the given order, in either spelling of the option", () => {
		const { grpcServiceConfig } = parseHomingOptions([
			{ key: "grpc_service_config", value: "a.json" },
			{ key: "grpc-service-config", value: "b.json" },
		]);
		expect(grpcServiceConfig).toEqual(["a.json", "b.json"]);
	});

	it("reads retry_max_attempts as a number", () => {
		expect(
			parseHomingOptions([{ key: "retry_max_attempts", value: "4" }]),
		).toMatchObject({ retryMaxAttempts: 4 });
	});

	it.for([
		["emit", "servers", "emit must be client, server or both"],
		["emit", "", "emit must be client, server or both"],
		["grpc_service_config", "", "grpc_service_config must name a file"],
		["retry_max_attempts", "1", "retry_max_attempts must be an integer of 2"],
		["retry_max_attempts", "2.5", "retry_max_attempts must be an integer of 2"],
		["retry_max_attempts", "", "retry_max_attempts must be an integer of 2"],
		["emits", "client", "emits is not an option of protoc-gen-homing"],
		["emits", "client", "did you mean emit?"],
		["targets", "ts", "did you mean target?"],
		[
			"retries",
			"3",
			"its own options are emit, grpc_service_config and retry_max_at",
		],
	] as const)("refuses %s=%s", ([key, value, message]) => {
		expect(() => parseHomingOptions([{ key, value }])).toThrow(message);
	});
});

describe("assertStandardValues", () => {
	it.for([
		"",
		"target=ts",
		"target=js+dts",
		"target=ts,import_extension=.js,ts_nocheck=true,keep_empty_files=0",
		"import_extension=none,import_extension=",
		"emit=what,rewrite_imports=a:b,map_imports=c:d,nothing",
	])("accepts %j", (parameter) => {
		assertStandardValues(parameter);
	});

	it.for([
		[
			"target=typescript",
			'invalid option "target=typescript": target must be ts, js, dts or several of them, as in js+dts',
		],
		["target=", 'invalid option "target=": target must be ts, js, dts or'],
		["target", 'invalid option "target": target must be ts, js, dts or'],
		["target=js+dtss", "as in js+dts; did you mean dts?"],
		[
			"emit=both,import_extension=mjs",
			'invalid option "import_extension=mjs": import_extension must be js, ts or none',
		],
		[
			"ts_nocheck=yes",
			'invalid option "ts_nocheck=yes": ts_nocheck must be true or false',
		],
	] as const)("refuses %s, and lists what can be", ([parameter, message]) => {
		expect(() => assertStandardValues(parameter)).toThrow(message);
	});
});
