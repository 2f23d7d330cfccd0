import type { Client, ServiceImpl } from "@connectrpc/connect";
import type { ServiceRegistrar } from "homing/server";
import type { Order } from "./gen/service/order_pb.js";
import {
	NewOrderClient,
	type OrderClient,
	type OrderServer,
	RegisterOrderServer,
	UnimplementedOrderServer,
} from "./gen/service/order_rpc.js";

type Assignable<From extends To, To> = From;

export type OrderClientIsConnects = Assignable<
	OrderClient,
	Client<typeof Order>
>;

export function clientOrder(): OrderClient {
	return NewOrderClient("127.0.0.1:50051");
}

export type OrderServerIsConnects = Assignable<
	OrderServer,
	ServiceImpl<typeof Order>
>;

export function serveOrder(registrar: ServiceRegistrar): void {
	RegisterOrderServer(registrar, new UnimplementedOrderServer());
}

/** The message of that name is the request. */
export async function place(client: OrderClient): Promise<string> {
	return (await client.place({ id: "1" })).id;
}
