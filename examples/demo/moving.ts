import type { Resolver } from "homing";
import { Server } from "homing/server";
import {
	NewHelloServerClient,
	RegisterHelloServerServer,
} from "../../testdata/services/gen/hello/hello_rpc.ts";
import { part, say, show } from "./screen.ts";

/** A custom resolver moves a client to another server while it makes calls. */
export async function moving(): Promise<void> {
	part("5. A custom resolver, in ten lines");
	await using blue = await helloServer("blue");
	await using green = await helloServer("green");

	const move = Promise.withResolvers<void>();
	const resolver: Resolver = {
		async *watch() {
			yield { endpoints: [{ address: blue.address }] };
			await move.promise;
			yield { endpoints: [{ address: green.address }] };
		},
	};

	await using hello = NewHelloServerClient(resolver);
	const answers = { blue: 0, green: 0, failed: 0 };
	const callUntil = async (done: () => boolean): Promise<void> => {
		while (!done()) {
			await hello.sayHello({ name: "Ada" }).then(
				({ message }) => answers[message as "blue" | "green"]++,
				() => answers.failed++,
			);
		}
	};
	const load = Promise.all(
		Array.from({ length: 8 }, () => callUntil(() => answers.green >= 500)),
	);
	await callUntil(() => answers.blue >= 500);
	move.resolve();
	await load;
	await blue[Symbol.asyncDispose]();

	show(
		"calls answered by blue, then by green",
		`${answers.blue}, ${answers.green}`,
	);
	show("calls that failed", String(answers.failed));
	say(
		"The resolver yielded a new endpoint. Calls in flight finished at the old one.",
	);
}

async function helloServer(
	name: string,
): Promise<AsyncDisposable & { address: string }> {
	const server = new Server();
	RegisterHelloServerServer(server, {
		sayHello: () => ({ message: name }),
		getHelloMsg: () => ({}),
	});
	const { address } = await server.listen("127.0.0.1:0");
	return {
		address,
		[Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
	};
}
