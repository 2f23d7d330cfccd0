import { describe, expect, test } from "vitest";
import type { ConsulCheck } from "./checks.ts";
import { serviceDefinition } from "./service-definition.ts";

const instance = { name: "a", host: "::1", port: 7 };

describe("a definition holds the check in the format of Consul's API:", () => {
	test.each<[ConsulCheck, object]>([
		[{ kind: "ttl" }, { TTL: "15000ms" }],
		[{ kind: "ttl", ttl: "2.5s" }, { TTL: "2500ms" }],
		[
			{ kind: "grpc" },
			{
				GRPC: "[::1]:7",
				GRPCUseTLS: false,
				TLSSkipVerify: false,
				Interval: "10000ms",
				Timeout: "5000ms",
			},
		],
		[
			{
				kind: "grpc",
				service: "b.C",
				tls: true,
				tlsServerName: "c",
				tlsSkipVerify: true,
				interval: "1s",
				timeout: 500,
			},
			{
				GRPC: "[::1]:7/b.C",
				GRPCUseTLS: true,
				TLSServerName: "c",
				TLSSkipVerify: true,
				Interval: "1000ms",
				Timeout: "500ms",
			},
		],
		[
			{ kind: "tcp", interval: "2s" },
			{ TCP: "[::1]:7", Interval: "2000ms", Timeout: "5000ms" },
		],
		[
			{ kind: "http", url: "https://b/health", tlsSkipVerify: true },
			{
				HTTP: "https://b/health",
				TLSSkipVerify: true,
				Interval: "10000ms",
				Timeout: "5000ms",
			},
		],
	])("%o", (check, expected) => {
		const { body, checkId } = serviceDefinition(instance, check, 90_000, "r");
		expect(checkId).toBe("service:a:::1:7:r");
		expect(body("critical")).toMatchObject({
			Check: {
				...expected,
				CheckID: checkId,
				Name: "a at [::1]:7",
				DeregisterCriticalServiceAfter: "90000ms",
				Status: "critical",
			},
		});
		expect(Object.keys(Object(body("passing")).Check)).toHaveLength(
			Object.keys(expected).length + 4,
		);
	});
});

test("a definition has no weight if the instance has none", () => {
	const { body } = serviceDefinition(instance, { kind: "ttl" }, 60_000, "r");
	expect(body("passing")).toEqual({
		ID: "a:::1:7",
		Name: "a",
		Address: "::1",
		Port: 7,
		Tags: [],
		Meta: { "homing-registration": "r" },
		Check: expect.anything(),
	});
});
