import type { StringValue } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { OrderManagementServer } from "../../testdata/services/gen/ecommerce/order_management_rpc.ts";

interface Order {
	id: string;
	items: string[];
	description: string;
	price: number;
	destination: string;
}

const BATCH_SIZE = 3;

/** The orders of a shop, with all four kinds of RPC. */
export class OrderBook implements OrderManagementServer {
	readonly #orders = new Map<string, Order>();

	constructor(orders: readonly Order[]) {
		for (const order of orders) this.#orders.set(order.id, order);
	}

	getOrder({ value: id }: StringValue): Order {
		return this.#order(id);
	}

	async *searchOrders({ value: query }: StringValue): AsyncIterable<Order> {
		for (const order of this.#orders.values()) {
			if (order.items.some((item) => item.includes(query))) yield order;
		}
	}

	async updateOrders(
		updates: AsyncIterable<Order>,
	): Promise<{ value: string }> {
		const ids: string[] = [];
		for await (const order of updates) {
			this.#orders.set(order.id, order);
			ids.push(order.id);
		}
		return { value: `updated ${ids.join(", ")}` };
	}

	/** Collects orders into batches. For each full batch, yields one shipment per destination. */
	async *processOrders(
		ids: AsyncIterable<StringValue>,
	): AsyncIterable<Shipment> {
		let batch: Order[] = [];
		for await (const { value: id } of ids) {
			batch.push(this.#order(id));
			if (batch.length < BATCH_SIZE) continue;
			yield* shipmentsOf(batch);
			batch = [];
		}
		yield* shipmentsOf(batch);
	}

	#order(id: string): Order {
		const order = this.#orders.get(id);
		if (order === undefined) {
			throw new ConnectError(`there is no order ${id}`, Code.NotFound);
		}
		return order;
	}
}

interface Shipment {
	id: string;
	status: string;
	ordersList: Order[];
}

function shipmentsOf(batch: readonly Order[]): Shipment[] {
	const byDestination = Map.groupBy(batch, ({ destination }) => destination);
	return [...byDestination].map(([destination, ordersList]) => ({
		id: `to ${destination}`,
		status: "shipped",
		ordersList,
	}));
}
