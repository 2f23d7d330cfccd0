import { once } from "node:events";
import { createServer, type Server as Http1Server } from "node:http";
import {
	createServer as createHttp2Server,
	type Http2Server,
} from "node:http2";
import type { AddressInfo } from "node:net";
import {
	type Client,
	createClient,
	createRouterTransport,
	type Transport,
} from "@connectrpc/connect";
import {
	connectNodeAdapter,
	createConnectTransport,
	createGrpcTransport,
	createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterEach, describe, expect, test } from "vitest";
import { OrderManagement } from "../../testdata/services/gen/ecommerce/order_management_pb.ts";
import {
	type OrderManagementServer,
	RegisterOrderManagementServer,
} from "../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { push } from "./call/push.ts";
import { onConnectRouter } from "./connect-router.ts";
import { Server } from "./server.ts";

/** An implementation as users write it for homing. */
class Orders implements OrderManagementServer {
	readonly #known = new Map([["1", "one"]]);

	getOrder({ value }: { value: string }) {
		return { id: value, description: this.#known.get(value) ?? "" };
	}

	searchOrders = push<{ value: string }, { id: string }>(
		async ({ value }, stream) => {
			for (let i = 0; i < 3; i++) await stream.send({ id: `${value}${i}` });
		},
	);

	async updateOrders(orders: AsyncIterable<{ id: string }>) {
		const ids: string[] = [];
		for await (const { id } of orders) ids.push(id);
		return { value: ids.join() };
	}

	async *processOrders(ids: AsyncIterable<{ value: string }>) {
		for await (const { value } of ids) yield { id: value };
	}
}

type Orderer = Client<typeof OrderManagement>;

async function unary(client: Orderer): Promise<void> {
	expect(await client.getOrder({ value: "1" })).toMatchObject({
		id: "1",
		description: "one",
	});
}

async function allKinds(client: Orderer): Promise<void> {
	await unary(client);
	const found: string[] = [];
	for await (const { id } of client.searchOrders({ value: "a" }))
		found.push(id);
	expect(found).toEqual(["a0", "a1", "a2"]);
	async function* orders() {
		yield { id: "1" };
		yield { id: "2" };
	}
	expect((await client.updateOrders(orders())).value).toBe("1,2");
	async function* ids() {
		yield { value: "1" };
		yield { value: "2" };
	}
	const processed: string[] = [];
	for await (const { id } of client.processOrders(ids())) processed.push(id);
	expect(processed).toEqual(["1", "2"]);
}

const closing: (() => void)[] = [];

afterEach(() => {
	for (const close of closing.splice(0)) close();
});

async function portOf(server: Http1Server | Http2Server): Promise<number> {
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	closing.push(() => server.close());
	return (server.address() as AddressInfo).port;
}

describe("onConnectRouter", () => {
	const handler = connectNodeAdapter({
		routes: (router) =>
			RegisterOrderManagementServer(onConnectRouter(router), new Orders()),
	});

	test("serves an implementation in memory", async () => {
		const transport = createRouterTransport((router) =>
			RegisterOrderManagementServer(onConnectRouter(router), new Orders()),
		);
		await allKinds(createClient(OrderManagement, transport));
	});

	test("serves it over Connect and gRPC-Web on HTTP/1.1", async () => {
		const port = await portOf(createServer(handler));
		const options = {
			baseUrl: `http://127.0.0.1:${port}`,
			httpVersion: "1.1",
		} as const;
		const transports: Transport[] = [
			createConnectTransport(options),
			createGrpcWebTransport(options),
		];
		for (const transport of transports) {
			await unary(createClient(OrderManagement, transport));
		}
	});

	test("serves it over gRPC on HTTP/2", async () => {
		const port = await portOf(createHttp2Server(handler));
		const transport = createGrpcTransport({
			baseUrl: `http://127.0.0.1:${port}`,
		});
		await allKinds(createClient(OrderManagement, transport));
	});
});

describe("Connect's own client", () => {
	test("calls the same implementation on a homing Server", async () => {
		await using server = new Server();
		RegisterOrderManagementServer(server, new Orders());
		const { address } = await server.listen("127.0.0.1:0");
		const transport = createGrpcTransport({ baseUrl: `http://${address}` });
		await allKinds(createClient(OrderManagement, transport));
	});
});
