import { Server } from "homing/server";
import {
	NewOrderManagementClient,
	RegisterOrderManagementServer,
} from "../../testdata/services/gen/ecommerce/order_management_rpc.ts";
import { OrderBook } from "./order-management.ts";
import { part, show, showError } from "./screen.ts";

const order = (id: string, item: string, destination: string) => ({
	id,
	items: [item],
	description: "",
	price: 10,
	destination,
});

/** OrderManagement: unary, server, client and bidirectional streaming. */
export async function fourKinds(): Promise<void> {
	part("2. One service with the four kinds of calls");
	await using server = new Server();
	RegisterOrderManagementServer(
		server,
		new OrderBook([
			order("101", "lamp", "X"),
			order("102", "desk", "Y"),
			order("103", "desk lamp", "X"),
			order("104", "chair", "Y"),
		]),
	);
	const { address } = await server.listen("127.0.0.1:0");
	await using orders = NewOrderManagementClient(address);

	const found = await orders.getOrder({ value: "101" });
	show('getOrder("101")', `${found.items} to ${found.destination}`);

	const lamps: string[] = [];
	for await (const { id } of orders.searchOrders({ value: "lamp" })) {
		lamps.push(id);
	}
	show('searchOrders("lamp")', lamps.join(", "));

	const updated = await orders.updateOrders([
		order("102", "standing desk", "Y"),
		order("104", "armchair", "Y"),
	]);
	show("updateOrders([102, 104])", updated.value);

	// A handle, as in Go: send and receive independently.
	const call = orders.processOrders.open();
	for (const id of ["101", "102", "103", "104"]) await call.send({ value: id });
	await call.closeSend();
	const shipments: string[] = [];
	for await (const { ordersList } of call) {
		shipments.push(`[${ordersList.map((one) => one.destination).join(", ")}]`);
	}
	show("processOrders: X, Y, X, Y in batches of 3", shipments.join(" "));

	try {
		await orders.getOrder({ value: "999" });
	} catch (error) {
		showError('getOrder("999")', error);
	}
}
