import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { OrderSchema } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { checkedMessages } from "./checked-messages.ts";

async function idsOf(orders: AsyncIterable<{ id: string }>): Promise<string[]> {
	const ids: string[] = [];
	for await (const { id } of orders) ids.push(id);
	return ids;
}

test("fields become messages, and messages are passed on as they are", async () => {
	const order = create(OrderSchema, { id: "2" });
	const checked: unknown[] = [];
	for await (const message of checkedMessages(OrderSchema, [
		{ id: "1" },
		order,
	])) {
		checked.push(message);
	}
	expect(checked[0]).toMatchObject({ $typeName: "ecommerce.Order", id: "1" });
	expect(checked[1]).toBe(order);
});

test("something that is no message fails, and the requests can clean up", async () => {
	const notes: string[] = [];
	async function* requests() {
		try {
			yield { id: "1" };
			yield { name: "2" } as never;
			notes.push("asked again");
		} finally {
			notes.push("cleaned up");
		}
	}
	const messages = checkedMessages(OrderSchema, requests());
	const iterator = messages[Symbol.asyncIterator]();
	await iterator.next();
	const error = await iterator.next().catch((thrown: unknown) => thrown);
	expect(ConnectError.from(error)).toMatchObject({ code: Code.Internal });
	expect(await iterator.next()).toEqual({ done: true, value: undefined });
	expect(notes).toEqual(["cleaned up"]);
});

test("leaving them early lets the requests clean up, also by throw()", async () => {
	const notes: string[] = [];
	async function* requests() {
		try {
			yield { id: "1" };
		} finally {
			notes.push("cleaned up");
		}
	}
	for await (const _ of checkedMessages(OrderSchema, requests())) break;
	expect(notes).toEqual(["cleaned up"]);
	const messages = checkedMessages(OrderSchema, requests());
	const iterator = messages[Symbol.asyncIterator]();
	await iterator.next();
	await expect(iterator.throw?.(new Error("mine"))).rejects.toThrow("mine");
	expect(notes).toEqual(["cleaned up", "cleaned up"]);
});

test("an error of the requests is passed on", async () => {
	async function* requests(): AsyncGenerator<{ id: string }> {
		yield { id: "1" };
		throw new Error("broken");
	}
	await expect(idsOf(checkedMessages(OrderSchema, requests()))).rejects.toThrow(
		"broken",
	);
});
