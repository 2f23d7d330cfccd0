import { describe, expect, it } from "vitest";
import { parseHomingOptions } from "./options.ts";

describe("parseHomingOptions", () => {
	it("has defaults for all", () => {
		expect(parseHomingOptions([])).toEqual({
			emit: "both",
			grpcServiceConfig: [],
			retryMaxAttempts: undefined,
		});
	});

	it("collects configs in the order they are given, in either spelling", () => {
		const { grpcServiceConfig } = parseHomingOptions([
			{ key: "grpc_service_config", value: "a.json" },
			{ key: "grpc-service-config", value: "b.json" },
		]);
		expect(grpcServiceConfig).toEqual(["a.json", "b.json"]);
	});

	it("reads the attempts as a number", () => {
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
	] as const)("refuses %s=%s", ([key, value, message]) => {
		expect(() => parseHomingOptions([{ key, value }])).toThrow(message);
	});
});
