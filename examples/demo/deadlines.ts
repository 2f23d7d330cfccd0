import { once } from "node:events";
import { Server } from "homing/server";
import {
	NewEchoServiceClient,
	RegisterEchoServiceServer,
} from "../../testdata/services/gen/echo/echo_rpc.ts";
import {
	NewHelloServerClient,
	RegisterHelloServerServer,
} from "../../testdata/services/gen/hello/hello_rpc.ts";
import { part, say, showError } from "./screen.ts";

/** A deadline passes in a server behind another server. */
export async function deadlines(): Promise<void> {
	part("4. A deadline is passed on, and its error says how far the call got");

	const stopped = Promise.withResolvers<string>();
	await using slow = new Server();
	RegisterEchoServiceServer(slow, {
		async echo(_request, { signal, timeoutMs }) {
			const left = Math.round(timeoutMs() ?? 0);
			await once(signal, "abort");
			stopped.resolve(
				`it was told ${left} ms, and has stopped: ${signal.reason.message}`,
			);
			return {};
		},
	});
	const back = await slow.listen("127.0.0.1:0");

	await using echo = NewEchoServiceClient(back.address);
	await using gateway = new Server();
	RegisterHelloServerServer(gateway, {
		// This call sets no deadline. It inherits the time that its caller has left.
		sayHello: async ({ name }) => ({
			message: (await echo.echo({ mes: name })).resp,
		}),
		getHelloMsg: () => ({}),
	});
	const front = await gateway.listen("127.0.0.1:0");

	await using hello = NewHelloServerClient(front.address, { timeout: "0.2s" });
	try {
		await hello.sayHello({ name: "Ada" });
	} catch (error) {
		showError("sayHello, by a gateway that calls echo", error);
	}
	say(`The server behind the gateway: ${await stopped.promise}`);
}
