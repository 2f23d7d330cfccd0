import assert from "node:assert/strict";
import { Server } from "homing/server";
import { NewKindsClient, RegisterKindsServer } from "./gen/kinds_rpc.js";

async function count(messages: AsyncIterable<unknown>): Promise<number> {
	let counted = 0;
	for await (const _ of messages) {
		counted++;
	}
	return counted;
}

await using server = new Server();
RegisterKindsServer(server, {
	unaryIn: () => ({ text: "at once" }),
	unaryOut: async () => ({}),
	async *serverIn() {
		yield { text: "one" };
		yield { text: "two" };
	},
	async *serverOut() {
		yield {};
	},
	clientIn: async (requests) => ({ text: `${await count(requests)}` }),
	clientOut: async (requests) => {
		assert.equal(await count(requests), 2);
		return {};
	},
	async *bidiIn(requests) {
		for await (const _ of requests) {
			yield { text: "answer" };
		}
	},
	async *bidiOut(requests) {
		for await (const _ of requests) {
			yield {};
		}
	},
});
const { port } = await server.listen("127.0.0.1:0");

await using client = NewKindsClient(`127.0.0.1:${port}`);
assert.equal((await client.unaryIn()).text, "at once");
await client.unaryOut({ text: "x" });
assert.equal(await count(client.serverIn()), 2);
assert.equal(await count(client.serverOut({})), 1);
assert.equal((await client.clientIn([{}, {}, {}])).text, "3");
const call = client.clientOut.open();
await call.send({ text: "one" });
await call.send({ text: "two" });
await call.closeAndRecv();
assert.equal(await count(client.bidiIn([{}, {}])), 2);
assert.equal(await count(client.bidiOut([{}])), 1);
