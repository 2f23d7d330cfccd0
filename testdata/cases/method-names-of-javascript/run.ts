import assert from "node:assert/strict";
import type { DescMethod } from "@bufbuild/protobuf";
import {
	Code,
	ConnectError,
	createRouterTransport,
	type HandlerContext,
} from "@connectrpc/connect";
import { onConnectRouter, Server } from "homing/server";
import { type Message, Names } from "./gen/names_pb.js";
import {
	type NamesClient,
	NewNamesClient,
	RegisterNamesServer,
	UnimplementedNamesServer,
} from "./gen/names_rpc.js";

/** Answers with the name of the method, whatever that is. */
class Answering extends UnimplementedNamesServer {}
for (const method of Names.methods) {
	Object.defineProperty(Answering.prototype, method.localName, {
		value: (_request: Message, context: HandlerContext) => ({
			text: context.method.name,
		}),
	});
}

async function callAll(
	client: NamesClient,
	methods: readonly DescMethod[],
): Promise<string[]> {
	const renamed = new Map([
		["then", "then$"],
		["__proto__", "__proto__$"],
	]);
	const answers: string[] = [];
	for (const { localName } of methods) {
		const name = renamed.get(localName) ?? localName;
		const call: unknown = Reflect.get(client, name);
		assert(typeof call === "function", `${name} is not a method`);
		answers.push((await call({ text: "" })).text);
	}
	return answers;
}

const all = Names.methods;
// Connect's router loses this one, which it keeps in an object by its name.
const known = all.filter(({ name }) => name !== "__proto__");

// Awaited, because no method may make the client a thenable.
const overConnect = await NewNamesClient(
	createRouterTransport((router) => {
		RegisterNamesServer(onConnectRouter(router), new Answering());
	}),
);
assert.deepEqual(
	await callAll(overConnect, known),
	known.map(({ name }) => name),
);

await using server = new Server();
RegisterNamesServer(server, new Answering());
const { port } = await server.listen("127.0.0.1:0");
await using client = await NewNamesClient(`127.0.0.1:${port}`);
assert.deepEqual(
	await callAll(client, all),
	all.map(({ name }) => name),
);

await using partial = new Server();
RegisterNamesServer(partial, new UnimplementedNamesServer());
const { port: other } = await partial.listen("127.0.0.1:0");
await using caller = NewNamesClient(`127.0.0.1:${other}`);
await assert.rejects(caller.get_foo({}), (error) => {
	assert(error instanceof ConnectError);
	assert.equal(error.code, Code.Unimplemented);
	assert.match(error.message, /names\.Names\.get_foo is not implemented/);
	return true;
});
