import { describe, expect, test } from "vitest";
import { RawClient } from "../../../testdata/harness/raw-client.ts";
import { getOrder, serving, text } from "../../../testdata/harness/serving.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import { RegisterEchoServiceServer } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import {
	RegisterOrderManagementServer,
	UnimplementedOrderManagementServer,
} from "../../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { Server } from "../server.ts";

describe("Server.add", () => {
	test("returns the server, and accepts several services", () => {
		const server = new Server({ health: false });
		server
			.add(OrderManagement, { getOrder: () => ({}) })
			.add(EchoService, { echo: () => ({}) });
		expect(server.snapshot().services).toEqual([
			"ecommerce.OrderManagement",
			"echo.EchoService",
		]);
	});

	test("accepts services while the server listens", async () => {
		await using served = await serving({ getOrder: () => ({}) });
		const path = "/echo.EchoService/Echo";
		const before = served.client.open(path).send(text("a")).end();
		expect((await before.outcome).status).toBe(12);
		served.server.add(EchoService, { echo: () => ({}) });
		const after = served.client.open(path).send(text("a")).end();
		expect((await after.outcome).status).toBe(0);
	});

	test("throws for a service that was added before", () => {
		const server = new Server().add(EchoService, { echo: () => ({}) });
		expect(() => server.add(EchoService, { echo: () => ({}) })).toThrow(
			/echo\.EchoService was added before/,
		);
	});

	test("throws for an implementation with none of the service's methods", () => {
		for (const implementation of [{}, { Echo: () => ({}) } as object]) {
			expect(() => new Server().add(EchoService, implementation)).toThrow(
				"the implementation of echo.EchoService has none of its methods: echo",
			);
		}
	});

	test("throws for a handler that is no function", () => {
		for (const [echo, found] of [
			["text", "of type string"],
			[{}, "of type object"],
			[null, "null"],
		] as const) {
			const add = () => new Server().add(EchoService, { echo: echo as never });
			expect(add).toThrow(/echo\.EchoService has no function as echo/);
			expect(add).toThrow(found);
		}
	});

	test("accepts a service after a refused attempt to add it", () => {
		const server = new Server();
		expect(() => server.add(EchoService, {})).toThrow();
		server.add(EchoService, { echo: () => ({}) });
	});

	test("does not mistake a member that every object has for a handler", async () => {
		// A method may well be called hasOwnProperty.
		const renamed = {
			...OrderManagement,
			methods: OrderManagement.methods.map((method) =>
				method.localName === "searchOrders"
					? { ...method, localName: "hasOwnProperty" }
					: method,
			),
		};
		const server = new Server();
		server.add(renamed as typeof OrderManagement, { getOrder: () => ({}) });
		const { address } = await server.listen("127.0.0.1:0");
		await using client = new RawClient(address);
		const call = client.open("/ecommerce.OrderManagement/searchOrders");
		expect((await call.send(text("a")).end().outcome).status).toBe(12);
		await server.shutdown({ graceMs: 0 });
	});
});

describe("generated code", () => {
	test("Unimplemented… answers UNIMPLEMENTED, and a subclass may implement some methods", async () => {
		class Orders extends UnimplementedOrderManagementServer {
			override getOrder() {
				return { id: "mine" };
			}
		}
		const server = new Server();
		RegisterOrderManagementServer(server, new Orders());
		const { address } = await server.listen("127.0.0.1:0");
		await using client = new RawClient(address);
		const mine = client.open(getOrder).send(text("a")).end();
		expect((await mine.outcome).status).toBe(0);
		for (const name of ["searchOrders", "updateOrders", "processOrders"]) {
			const call = client.open(`/ecommerce.OrderManagement/${name}`);
			expect(await call.send(text("a")).end().outcome).toMatchObject({
				status: 12,
				message: `ecommerce.OrderManagement.${name} is not implemented`,
			});
		}
		await server.shutdown({ graceMs: 0 });
	});
});

test("generated code throws if it is given the implementation before the server", () => {
	const swapped = RegisterEchoServiceServer as (...args: unknown[]) => void;
	for (const first of [{ echo: () => ({}) }, undefined]) {
		expect(() => swapped(first, new Server())).toThrow(
			"RegisterEchoServiceServer takes the server first, and the implementation second",
		);
	}
});
