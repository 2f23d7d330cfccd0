/** Client-side health checks (gRFC A17), against servers of homing's own and others. */

import { afterEach, expect, test } from "vitest";
import {
	answering,
	errorOf,
	fine,
} from "../../../testdata/harness/attempts.ts";
import {
	type ClientInTime,
	clientInTime,
} from "../../../testdata/harness/client-in-time.ts";
import { settled } from "../../../testdata/harness/fake-clock.ts";
import { ToldResolver } from "../../../testdata/harness/fleet.ts";
import {
	finish,
	frame,
	refuse,
	respond,
} from "../../../testdata/harness/http2-server.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import { pickFirst } from "../../balancer/pick-first.ts";
import type { ServiceConfig } from "../../policy/service-config.ts";
import { Server } from "../../server/server.ts";
import type { ClientOptions } from "../options/client-options.ts";

const ECHO = "echo.EchoService";
const serviceConfig: ServiceConfig = {
	healthCheckConfig: { serviceName: ECHO },
};

const after: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

/** A server that answers with its name. */
async function echoing(
	resp: string,
): Promise<{ server: Server; address: string }> {
	const server = new Server();
	server.add(EchoService, { echo: () => ({ resp }) });
	after.push(() => server.shutdown({ graceMs: 0 }));
	const { address } = await server.listen("127.0.0.1:0");
	return { server, address };
}

interface Client extends ClientInTime<EchoServiceClient> {
	readonly states: readonly string[];
	heard(state: string, times?: number): Promise<void>;
	/** Who answers so many calls. */
	answers(count: number): Promise<string>;
}

function clientOf(
	target: string | ToldResolver,
	options: ClientOptions = { serviceConfig },
): Client {
	const states: string[] = [];
	let news = Promise.withResolvers<void>();
	const made = clientInTime<EchoServiceClient>(EchoService, target, {
		balancer: "round_robin",
		...options,
		hooks: {
			endpointState({ address }, state, reason) {
				states.push(`${address} ${state}${reason && `: ${reason}`}`);
				news.resolve();
				news = Promise.withResolvers();
			},
		},
	});
	after.push(() => made[Symbol.asyncDispose]());
	return {
		...made,
		states,
		async heard(state, times = 1) {
			const count = (): number => states.filter((one) => one === state).length;
			while (count() < times) await news.promise;
			await settled();
		},
		async answers(count) {
			const names = new Set<string>();
			for (let n = 0; n < count; n++) {
				names.add((await made.client.echo({})).resp);
			}
			return [...names].sort().join(" and ");
		},
	};
}

test("an endpoint that says NOT_SERVING gets no calls and keeps its connection; SERVING brings it back", async () => {
	const [a, b] = await Promise.all([echoing("a"), echoing("b")]);
	const client = clientOf(`ipv4:${a.address},${b.address}`);
	await client.core.connect(undefined);
	for (const { address } of [a, b]) await client.heard(`${address} ready`);
	expect(await client.answers(6)).toBe("a and b");

	a.server.setServing(ECHO, false);
	const sick = `${a.address} transientFailure: ${a.address} is not healthy of ${ECHO}: it says NOT_SERVING`;
	await client.heard(sick);
	expect(await client.answers(6)).toBe("b");
	expect(client.core.snapshot()).toMatchObject({
		endpoints: [
			{ state: "transientFailure", ejected: false, connections: [{}] },
			{ state: "ready" },
		],
	});

	a.server.setServing(ECHO, true);
	await client.heard(`${a.address} ready`, 2);
	expect(await client.answers(6)).toBe("a and b");
	expect(client.states.filter((one) => one.endsWith(" connecting"))).toEqual([
		`${a.address} connecting`,
		`${b.address} connecting`,
	]);
});

test("when none is healthy calls fail with what the endpoint says, and those that can wait wait", async () => {
	const { server, address } = await echoing("a");
	server.setServing(ECHO, false);
	const client = clientOf(address);
	const error = await errorOf(client.client.echo({}));
	expect(error.rawMessage).toContain(
		`${address} is not healthy of ${ECHO}: it says NOT_SERVING`,
	);
	const waiting = client.client.echo({}, { waitForReady: true });
	server.setServing(ECHO, true);
	expect((await waiting).resp).toBe("a");
});

test("a service that the server does not know is not healthy", async () => {
	const { address } = await echoing("a");
	const client = clientOf(address, {
		serviceConfig: { healthCheckConfig: { serviceName: "shop.Cart" } },
	});
	expect((await errorOf(client.client.echo({}))).rawMessage).toMatch(
		/not healthy of shop.Cart: it says SERVICE_UNKNOWN$/,
	);
});

test("the server as a whole is asked for by an empty name", async () => {
	const { address } = await echoing("a");
	const client = clientOf(address, {
		serviceConfig: { healthCheckConfig: { serviceName: "" } },
	});
	expect(await client.answers(1)).toBe("a");
});

test("a server without the health service counts as healthy", async () => {
	const server = await answering([
		(request) =>
			request.headers[":path"] === "/grpc.health.v1.Health/Watch"
				? refuse(request.stream, 12, "unknown service")
				: fine(request),
	]);
	after.push(() => server[Symbol.asyncDispose]());
	const client = clientOf(server.address);
	await client.client.echo({});
	await client.client.echo({});
	expect(server.seen.map(({ headers }) => headers[":path"])).toEqual([
		"/grpc.health.v1.Health/Watch",
		"/echo.EchoService/Echo",
		"/echo.EchoService/Echo",
	]);
});

test("a watch that breaks is opened again after a backoff; meanwhile the endpoint gets no calls", async () => {
	let watches = 0;
	const server = await answering([
		(request) => {
			const { headers, stream } = request;
			if (headers[":path"] === "/echo.EchoService/Echo") {
				fine(request);
				return;
			}
			watches += 1;
			respond(stream);
			stream.write(frame(Buffer.of(0x08, 0x01)));
			if (watches === 1) {
				breakIt = () => finish(stream, { "grpc-status": 13 });
			}
		},
	]);
	let breakIt = (): void => {};
	after.push(() => server[Symbol.asyncDispose]());
	const client = clientOf(server.address);
	await client.client.echo({});
	breakIt();
	await client.heard(
		`${server.address} transientFailure: ${server.address} is not healthy of ${ECHO}: it cannot be asked: the watch ended with status 13`,
	);
	await errorOf(client.client.echo({}));
	await client.clock.advance(2_000);
	await client.heard(`${server.address} ready`, 2);
	await client.client.echo({});
	expect(watches).toBe(2);
	expect(server.accepted).toBe(1);
});

test("a resolver can bring the name of the service later, and take it away", async () => {
	const { server, address } = await echoing("a");
	server.setServing(ECHO, false);
	const endpoints = [{ address }];
	const resolver = new ToldResolver({ endpoints });
	const client = clientOf(resolver, {});
	expect(await client.answers(2)).toBe("a");
	resolver.tell({ endpoints, serviceConfig });
	await client.heard(
		`${address} transientFailure: ${address} is not healthy of ${ECHO}: it says NOT_SERVING`,
	);
	await errorOf(client.client.echo({}));
	resolver.tell({ endpoints, serviceConfig: {} });
	await client.heard(`${address} ready`, 2);
	expect(await client.answers(2)).toBe("a");
});

test.each([
	["by name", "pick_first"],
	["as a factory", pickFirst],
] as const)("pick_first, %s, asks for nobody's health", async (_, balancer) => {
	const { server, address } = await echoing("a");
	server.setServing(ECHO, false);
	const client = clientOf(address, { balancer, serviceConfig });
	expect(await client.answers(3)).toBe("a");
});

test("an unhealthy endpoint is no reason to resolve again", async () => {
	const { server, address } = await echoing("a");
	const resolver = new ToldResolver({ endpoints: [{ address }] });
	const client = clientOf(resolver);
	expect(await client.answers(1)).toBe("a");
	server.setServing(ECHO, false);
	await client.heard(
		`${address} transientFailure: ${address} is not healthy of ${ECHO}: it says NOT_SERVING`,
	);
	expect(resolver.refreshes).toBe(0);
});

test("a server that shuts down is left before it closes the connection", async () => {
	const [a, b] = await Promise.all([echoing("a"), echoing("b")]);
	const client = clientOf(`ipv4:${a.address},${b.address}`);
	await client.core.connect(undefined);
	for (const { address } of [a, b]) await client.heard(`${address} ready`);
	const calls = Array.from({ length: 200 }, () => client.client.echo({}));
	const down = a.server.shutdown({ graceMs: 1_000 });
	for (let n = 0; n < 200; n++) calls.push(client.client.echo({}));
	const done = Promise.allSettled(calls);
	let isDone = false;
	void done.then(() => {
		isDone = true;
	});
	// Those that have missed the server go again in a later turn of the event loop: at once, on a clock that stands still.
	while (!isDone) await client.clock.advance(0);
	for (const { status } of await done) expect(status).toBe("fulfilled");
	await down;
	expect(await client.answers(6)).toBe("b");
});
