import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import net from "node:net";
import { describe, expect, test } from "vitest";
import {
	answer,
	frame,
	refuse,
	respond,
	serveStreams,
} from "../../testdata/harness/http2-server.ts";
import {
	errorCode,
	startRawServer,
} from "../../testdata/peers/node/misbehaving/raw-http2.ts";

const here = (file: string): string =>
	JSON.stringify(new URL(file, import.meta.url).href);

const services = "../../testdata/services/gen";

/** Does not use generated clients, which import homing by its package name. */
const prelude = `
	import { Channel, closeClient, newClient } from ${here("../client.ts")};
	import { EchoService } from ${here(`${services}/echo/echo_pb.ts`)};
	import { OrderManagement } from ${here(`${services}/ecommerce/order_management_pb.ts`)};
	const NewEchoServiceClient = (...args) => newClient(EchoService, ...args);
	const NewOrderManagementClient = (...args) =>
		newClient(OrderManagement, ...args);
	console.log("begin");
`;

interface Ended {
	readonly code: number | null;
	readonly output: string;
	/** Milliseconds from the line "begin" to the end of the process. */
	readonly ms: number;
}

/** Runs a program until it ends, or kills it after 20 s. */
async function run(program: string): Promise<Ended> {
	const child = spawn(
		process.execPath,
		[
			"--experimental-strip-types",
			"--no-warnings",
			"--input-type=module",
			"--eval",
			`${prelude}${program}`,
		],
		{ stdio: ["ignore", "pipe", "inherit"], timeout: 20_000 },
	);
	let output = "";
	let began = 0;
	child.stdout.on("data", (chunk) => {
		if (output === "") began = performance.now();
		output += chunk;
	});
	const [code] = await once(child, "close");
	return { code, output, ms: performance.now() - began };
}

describe.concurrent("a process ends by itself", () => {
	test("when its client has made no call", async () => {
		const { code } = await run(`
			NewEchoServiceClient("127.0.0.1:1");
			new Channel("127.0.0.1:1");
		`);
		expect(code).toBe(0);
	});

	test("when its calls have ended, although the connection is open", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		const { code, output, ms } = await run(`
			const echo = NewEchoServiceClient("${server.address}");
			await echo.echo({});
			console.log("done");
		`);
		expect({ code, output }).toEqual({ code: 0, output: "begin\ndone\n" });
		expect(ms).toBeLessThan(10_000);
	});

	test("when its calls have failed or were cancelled", async () => {
		await using server = await serveStreams((stream) => respond(stream));
		const { code, output, ms } = await run(`
			const echo = NewEchoServiceClient("${server.address}");
			await echo.echo({}, { timeoutMs: 50 }).catch((e) => console.log(e.code));
			const orders = NewOrderManagementClient("${server.address}");
			const stream = orders.searchOrders({});
			await stream.header;
			stream.cancel();
			const nobody = NewEchoServiceClient("127.0.0.1:1");
			await nobody.echo({}).catch((e) => console.log(e.code));
		`);
		expect({ code, output }).toEqual({ code: 0, output: "begin\n4\n14\n" });
		expect(ms).toBeLessThan(10_000);
	});

	test("when both sides have reset the streams at the deadline", async () => {
		const server = await startRawServer({
			onHeaders: (stream) =>
				setTimeout(() => {
					const type = ["content-type", "application/grpc"] as const;
					stream.headers(
						[[":status", "200"], type, ["grpc-status", "4"]],
						true,
					);
					stream.reset(errorCode.NO_ERROR);
				}, 20),
		});
		const { code, output, ms } = await run(`
			const orders = NewOrderManagementClient("${server.address}");
			await orders.getOrder({}).catch(() => {});
			const calls = Array.from({ length: 20 }, () =>
				orders.updateOrders.open({ timeoutMs: 50 }));
			const ends = Promise.all(calls.map((call) =>
				call.recv().catch((error) => error.code)));
			// The answers have arrived but are unread when the deadline's timer fires, because timers run before the network.
			const begin = performance.now();
			setTimeout(() => setImmediate(() => {
				while (performance.now() - begin < 500);
			}), 5);
			console.log(new Set(await ends));
			await closeClient(orders);
			console.log("closed");
		`);
		await server.stop();
		expect({ code, output }).toEqual({
			code: 0,
			output: "begin\nSet(1) { 4 }\nclosed\n",
		});
		expect(ms).toBeLessThan(10_000);
	});

	test("while its channel backs off or connects and no call waits", async () => {
		const server = net.createServer(() => {}).listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as net.AddressInfo;
		const { code, ms } = await run(`
			for (const address of ["127.0.0.1:1", "127.0.0.1:${port}"]) {
				const echo = NewEchoServiceClient(address);
				await echo.echo({}, { timeoutMs: 100 }).catch(() => {});
			}
		`);
		server.close();
		expect(code).toBe(0);
		expect(ms).toBeLessThan(10_000);
	});

	test("while keepalive watches a connection", async () => {
		await using server = await serveStreams((stream) => answer(stream));
		const { code, output, ms } = await run(`
			const echo = NewEchoServiceClient("${server.address}", {
				keepalive: { time: "60s", withoutCalls: true },
			});
			await echo.echo({});
			console.log("done");
		`);
		expect({ code, output }).toEqual({ code: 0, output: "begin\ndone\n" });
		expect(ms).toBeLessThan(10_000);
	});

	test("while it watches the health of its endpoint", async () => {
		const paths: unknown[] = [];
		await using server = await serveStreams((stream, headers) => {
			paths.push(headers[":path"]);
			respond(stream);
			stream.write(frame(Buffer.of(0x08, 0x01)));
		});
		const { code, output, ms } = await run(`
			const { EndpointSubchannel } = await import(${here("./endpoint/subchannel.ts")});
			const { settleChannel } = await import(${here("./channel/channel-setting.ts")});
			const { parseAddress } = await import(${here("../discovery/targets/address.ts")});
			const at = "${server.address}";
			const awake = setTimeout(() => {}, 30_000);
			new EndpointSubchannel({ address: at }, [parseAddress(at, at)],
				settleChannel(at, {}),
				{
					entered(state) {
						console.log(state);
						if (state === "ready") clearTimeout(awake);
					},
					room() {},
				},
				"shop.Cart",
			).connect();
		`);
		expect(paths).toEqual(["/grpc.health.v1.Health/Watch"]);
		expect({ code, output }).toEqual({
			code: 0,
			output: "begin\nconnecting\nready\n",
		});
		expect(ms).toBeLessThan(10_000);
	});

	test("while it has ejected endpoints and open circuit breakers", async () => {
		const serve = (then: (stream: ServerHttp2Stream) => void) =>
			serveStreams((stream, headers) => {
				if (headers[":path"] !== "/grpc.health.v1.Health/Watch") {
					then(stream);
					return;
				}
				respond(stream);
				stream.write(frame(Buffer.of(0x08, 0x01)));
			});
		await using well = await serve(answer);
		await using sick = await serve((stream) => refuse(stream, 14));
		const { code, output, ms } = await run(`
			const heard = new Set();
			const echo = NewEchoServiceClient("ipv4:${well.address},${sick.address}", {
				balancer: "round_robin",
				circuitBreaker: { minimumCalls: 5 },
				keepalive: { time: "60s", withoutCalls: true },
				maxConcurrentCalls: 2,
				localZone: "a",
				serviceConfig: { healthCheckConfig: { serviceName: "" } },
				hooks: { endpointState: (_, state) => heard.add(state) },
			});
			const hedgingPolicy = { maxAttempts: 2, hedgingDelay: "20s" };
			for (let n = 0; n < 30; n++) {
				await echo.echo({}, { waitForReady: true, hedgingPolicy }).catch(() => {});
			}
			console.log([...heard].filter((s) => /ejected|breaker/.test(s)).sort());
		`);
		expect({ code, output }).toEqual({
			code: 0,
			output: "begin\n[ 'breakerOpen', 'ejected' ]\n",
		});
		expect(ms).toBeLessThan(10_000);
	});

	test("while an internal channel has open streams and waiting calls", async () => {
		await using server = await serveStreams((stream) => respond(stream));
		const { code, output, ms } = await run(`
			const { idleEnvironment } = await import(${here("./channel/channel-setting.ts")});
			const open = new Channel("${server.address}", {}, idleEnvironment);
			const awake = setTimeout(() => {}, 30_000);
			await NewOrderManagementClient(open).searchOrders({}).header;
			clearTimeout(awake);
			console.log("open");
			const closed = new Channel("127.0.0.1:1", {}, idleEnvironment);
			NewEchoServiceClient(closed).echo({}, { waitForReady: true }).catch(() => {});
		`);
		expect({ code, output }).toEqual({ code: 0, output: "begin\nopen\n" });
		expect(ms).toBeLessThan(10_000);
	});

	test("when its channel is closed", async () => {
		await using server = await serveStreams(() => {});
		const { code, output } = await run(`
			const echo = NewEchoServiceClient("${server.address}", { timeout: 0 });
			const call = echo.echo({}).catch((e) => console.log(e.rawMessage));
			setTimeout(() => echo[Symbol.asyncDispose](), 100);
			await call;
		`);
		expect(code).toBe(0);
		expect(output).toBe("begin\nthe channel has been closed\n");
	});
});

describe.concurrent("a process stays alive", () => {
	test("while a call is in flight, without a deadline", async () => {
		await using server = await serveStreams((stream) => {
			setTimeout(() => answer(stream), 300);
		});
		const { output } = await run(`
			const echo = NewEchoServiceClient("${server.address}", { timeout: 0 });
			echo.echo({}).then(() => console.log("answered"));
		`);
		expect(output).toBe("begin\nanswered\n");
	});

	test("while a stream is open", async () => {
		await using server = await serveStreams((stream) => {
			respond(stream);
			setTimeout(() => {
				stream.write(frame());
				stream.once("wantTrailers", () =>
					stream.sendTrailers({ "grpc-status": 0 }),
				);
				stream.end();
			}, 300);
		});
		const { output } = await run(`
			const orders = NewOrderManagementClient("${server.address}");
			(async () => {
				for await (const _ of orders.searchOrders({})) console.log("order");
			})();
		`);
		expect(output).toBe("begin\norder\n");
	});

	test("while a call waits for a connection", async () => {
		const probe = net.createServer().listen(0, "127.0.0.1");
		await once(probe, "listening");
		const { port } = probe.address() as net.AddressInfo;
		probe.close();
		await once(probe, "close");
		const running = run(`
			const echo = NewEchoServiceClient("127.0.0.1:${port}", {
				timeout: 0,
				waitForReady: true,
			});
			echo.echo({}).then(() => console.log("answered"));
		`);
		await new Promise((resolve) => setTimeout(resolve, 1500));
		await using _ = await serveStreams((stream) => answer(stream), {
			at: port,
		});
		expect((await running).output).toBe("begin\nanswered\n");
	});

	test("while connect() is awaited", async () => {
		const { code, output } = await run(`
			const channel = new Channel("127.0.0.1:1");
			const signal = AbortSignal.timeout(1000);
			await channel.connect(signal).catch((e) => console.log(e.message));
		`);
		expect(code).toBe(0);
		expect(output).toContain("ECONNREFUSED");
	});
});
