import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { ServerOptions } from "../../src/server/options/server-options.ts";
import { Server } from "../../src/server/server.ts";
import {
	type Order,
	OrderManagement,
	OrderSchema,
} from "../services/gen/ecommerce/order_management_pb.ts";
import { RawClient } from "./raw-client.ts";

export const getOrder = "/ecommerce.OrderManagement/getOrder";
export const searchOrders = "/ecommerce.OrderManagement/searchOrders";
export const updateOrders = "/ecommerce.OrderManagement/updateOrders";
export const processOrders = "/ecommerce.OrderManagement/processOrders";

export type Orders = Partial<ServiceImpl<typeof OrderManagement>>;

/** Starts a server, and makes a client for it. */
export interface Serving extends AsyncDisposable {
	readonly server: Server;
	readonly address: string;
	readonly client: RawClient;
}

export async function serving(
	orders: Orders,
	options?: ServerOptions,
): Promise<Serving> {
	const server = new Server(options);
	server.add(OrderManagement, orders);
	const { address } = await server.listen("127.0.0.1:0");
	const client = new RawClient(address);
	return {
		server,
		address,
		client,
		async [Symbol.asyncDispose]() {
			await client[Symbol.asyncDispose]();
			await server.shutdown({ graceMs: 0 });
		},
	};
}

/** Makes a request for getOrder, searchOrders and processOrders. */
export function text(value: string): Uint8Array {
	return toBinary(StringValueSchema, create(StringValueSchema, { value }));
}

export function textOf(bytes: Uint8Array | undefined): StringValue["value"] {
	return fromBinary(StringValueSchema, bytes as Uint8Array).value;
}

/** Makes a request for updateOrders. */
export function order(
	init: Partial<Pick<Order, "id" | "description">>,
): Uint8Array {
	return toBinary(OrderSchema, create(OrderSchema, init));
}

export function orderOf(bytes: Uint8Array | undefined): Order {
	return fromBinary(OrderSchema, bytes as Uint8Array);
}
