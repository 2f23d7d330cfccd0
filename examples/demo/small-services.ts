import { Channel } from "homing";
import { Server } from "homing/server";
import {
	NewEchoServiceClient,
	RegisterEchoServiceServer,
} from "../../testdata/services/gen/echo/echo_rpc.ts";
import {
	NewHelloServerClient,
	RegisterHelloServerServer,
} from "../../testdata/services/gen/hello/hello_rpc.ts";
import {
	NewPaymentClient,
	RegisterPaymentServer,
} from "../../testdata/services/gen/microservice/v1/payment_rpc.ts";
import { part, say, show } from "./screen.ts";

/** Several services on one server, and their clients on one channel. */
export async function smallServices(): Promise<void> {
	part("3. Several services on one server and one channel");
	let bills = 0n;
	await using server = new Server();
	RegisterPaymentServer(server, {
		create: () => ({ billId: ++bills }),
		async *createStream(requests) {
			for await (const _ of requests) yield { billId: ++bills };
		},
	});
	RegisterHelloServerServer(server, {
		sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
		getHelloMsg: ({ name }) => ({ msg: `${name}, you have mail.` }),
	});
	RegisterEchoServiceServer(server, { echo: ({ mes }) => ({ resp: mes }) });
	const { address } = await server.listen("127.0.0.1:0");

	await using channel = new Channel(address);
	const payments = NewPaymentClient(channel);
	const { billId } = await payments.create({ price: 9.5 });
	show("Payment.create({ price: 9.5 })", `bill ${billId}`);
	const stream: bigint[] = [];
	for await (const bill of payments.createStream([
		{ price: 1 },
		{ price: 2 },
	])) {
		stream.push(bill.billId);
	}
	show("Payment.createStream([1, 2])", `bills ${stream.join(", ")}`);
	const hello = NewHelloServerClient(channel);
	show(
		'HelloServer.sayHello("Ada")',
		(await hello.sayHello({ name: "Ada" })).message,
	);
	show(
		'HelloServer.getHelloMsg("Ada")',
		(await hello.getHelloMsg({ name: "Ada" })).msg,
	);
	const echo = NewEchoServiceClient(channel);
	show('EchoService.echo("…")', (await echo.echo({ mes: "…" })).resp);
	say("All these calls shared one connection.");
}
