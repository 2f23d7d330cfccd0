import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test, vi } from "vitest";
import type {
	RawCall,
	RawClient,
} from "../../../testdata/harness/raw-client.ts";
import { RawClient as Client } from "../../../testdata/harness/raw-client.ts";
import { serving } from "../../../testdata/harness/serving.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import {
	Health,
	HealthCheckRequestSchema,
	HealthCheckResponseSchema,
	HealthListResponseSchema,
	HealthCheckResponse_ServingStatus as Status,
} from "../gen/grpc/health/v1/health_pb.ts";
import { Server } from "../server.ts";
import { HealthService } from "./health.ts";

const orders = "ecommerce.OrderManagement";
const implementation = { getOrder: () => ({}) };

function call(client: RawClient, method: string, service: string): RawCall {
	const request = create(HealthCheckRequestSchema, { service });
	return client
		.open(`/grpc.health.v1.Health/${method}`)
		.send(toBinary(HealthCheckRequestSchema, request))
		.end();
}

function statusIn(message: Uint8Array | undefined): Status {
	return fromBinary(HealthCheckResponseSchema, message as Uint8Array).status;
}

async function check(client: RawClient, service: string): Promise<Status> {
	return statusIn((await call(client, "Check", service).outcome).messages[0]);
}

describe("Check", () => {
	test("returns SERVING for the server and for each of its services", async () => {
		await using served = await serving(implementation);
		for (const service of ["", orders, "grpc.health.v1.Health"]) {
			expect(await check(served.client, service)).toBe(Status.SERVING);
		}
	});

	test("returns what setServing has set", async () => {
		await using served = await serving(implementation);
		served.server.setServing(orders, false);
		expect(await check(served.client, orders)).toBe(Status.NOT_SERVING);
		expect(await check(served.client, "")).toBe(Status.SERVING);
		served.server.setServing("", false);
		expect(await check(served.client, "")).toBe(Status.NOT_SERVING);
		served.server.setServing(orders, true);
		expect(await check(served.client, orders)).toBe(Status.SERVING);
	});

	test("keeps what was set for a service before it was added", async () => {
		const server = new Server();
		server.setServing("echo.EchoService", false);
		server.add(EchoService, { echo: () => ({}) });
		const { address } = await server.listen("127.0.0.1:0");
		await using client = new Client(address);
		expect(await check(client, "echo.EchoService")).toBe(Status.NOT_SERVING);
		await server.shutdown({ graceMs: 0 });
	});

	test("fails with NOT_FOUND for an unknown service", async () => {
		await using served = await serving(implementation);
		const { status } = await call(served.client, "Check", "no.Such").outcome;
		expect(status).toBe(5);
	});
});

describe("List", () => {
	test("lists all services with their statuses", async () => {
		await using served = await serving(implementation);
		served.server.setServing(orders, false);
		const { messages } = await call(served.client, "List", "").outcome;
		const { statuses } = fromBinary(
			HealthListResponseSchema,
			messages[0] as Uint8Array,
		);
		expect(statuses).toMatchObject({
			"": { status: Status.SERVING },
			"grpc.health.v1.Health": { status: Status.SERVING },
			[orders]: { status: Status.NOT_SERVING },
		});
		expect(Object.keys(statuses)).toHaveLength(3);
	});
});

describe("Watch", () => {
	test("sends the current status at once and then each change, and never the same status twice", async () => {
		await using served = await serving(implementation);
		const watch = call(served.client, "Watch", orders);
		await watch.received(1);
		served.server.setServing(orders, true);
		served.server.setServing("", false);
		served.server.setServing(orders, false);
		await watch.received(2);
		served.server.setServing(orders, true);
		const messages = await watch.received(3);
		expect(messages.map(statusIn)).toEqual([
			Status.SERVING,
			Status.NOT_SERVING,
			Status.SERVING,
		]);
	});

	test("sends SERVICE_UNKNOWN for an unknown service until it is added", async () => {
		await using served = await serving(implementation);
		const watch = call(served.client, "Watch", "echo.EchoService");
		await watch.received(1);
		served.server.add(EchoService, { echo: () => ({}) });
		const messages = await watch.received(2);
		expect(messages.map(statusIn)).toEqual([
			Status.SERVICE_UNKNOWN,
			Status.SERVING,
		]);
	});

	test("ends for the server when its client leaves", async () => {
		await using served = await serving(implementation);
		const watch = call(served.client, "Watch", "");
		await watch.received(1);
		watch.cancel();
		await watch.outcome;
		await call(served.client, "Check", "").outcome;
		expect(served.server.snapshot().calls.inFlight).toBe(0);
	});

	test("is forgotten when it has ended", async () => {
		setFlagsFromString("--expose-gc");
		const collect = runInNewContext("gc") as () => void;
		const health = new HealthService();
		const begin = async () => {
			const watch = health.watch(create(HealthCheckRequestSchema));
			const iterator = watch[Symbol.asyncIterator]();
			await iterator.next();
			await iterator.return?.();
			return new WeakRef(watch);
		};
		const watch = await begin();
		await vi.waitFor(() => {
			collect();
			expect(watch.deref() === undefined).toBe(true);
		});
	});

	test("sends NOT_SERVING at shutdown, and then ends with UNAVAILABLE", async () => {
		await using served = await serving(implementation);
		const watches = ["", orders].map((service) =>
			call(served.client, "Watch", service),
		);
		for (const watch of watches) await watch.received(1);
		const start = performance.now();
		await served.server.shutdown();
		for (const watch of watches) {
			const { messages, status } = await watch.outcome;
			expect(messages.map(statusIn)).toEqual([
				Status.SERVING,
				Status.NOT_SERVING,
			]);
			expect(status).toBe(14);
		}
		// Watches, which never end by themselves, use no time of grace up.
		expect(performance.now() - start).toBeLessThan(5000);
	});
});

describe("at shutdown", () => {
	test("no service is serving, whatever is set, while calls in flight finish", async () => {
		const finish = Promise.withResolvers<void>();
		await using served = await serving({
			async getOrder() {
				await finish.promise;
				return {};
			},
		});
		const inFlight = served.client
			.open("/ecommerce.OrderManagement/getOrder")
			.send(Buffer.alloc(0))
			.end();
		const watch = call(served.client, "Watch", "");
		await watch.received(1);
		const shutdown = served.server.shutdown({ propagationMs: 200 });
		await watch.received(2);
		served.server.setServing("", true);
		expect(await check(served.client, "")).toBe(Status.NOT_SERVING);
		expect(served.server.snapshot().serving).toEqual({
			"": false,
			[orders]: false,
			"grpc.health.v1.Health": false,
		});
		finish.resolve();
		await shutdown;
		expect((await inFlight.outcome).status).toBe(0);
	});
});

describe("health: false", () => {
	test("serves no health service", async () => {
		await using served = await serving(implementation, { health: false });
		expect((await call(served.client, "Check", "").outcome).status).toBe(12);
	});

	test("allows another implementation of the service, which is refused otherwise", () => {
		const own = { check: () => ({}) };
		new Server({ health: false }).add(Health, own);
		expect(() => new Server().add(Health, own)).toThrow(/health: false/);
	});
});
