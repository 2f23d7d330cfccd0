import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import {
	answer,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { NewEchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { Resolver } from "../../discovery/resolver.ts";
import { outsideCalls } from "./outside-calls.ts";

const storage = new AsyncLocalStorage<string>();

test("runs in no call's context, and gives back what came of it", () => {
	storage.run("a call", () => {
		expect(storage.getStore()).toBe("a call");
		expect(outsideCalls(() => [storage.getStore()])).toEqual([undefined]);
		expect(storage.getStore()).toBe("a call");
	});
});

test("what a call starts for its channel keeps nothing of that call: resolver, balancer, connection", async () => {
	await using server = await serveStreams((stream) => answer(stream));
	const seen: Record<string, string | undefined> = {};
	const see = (what: string): void => {
		seen[what] = storage.getStore() ?? "nothing";
	};
	const resolver: Resolver = {
		async *watch() {
			see("watch");
			await Promise.resolve();
			see("watch later");
			yield { endpoints: [{ address: server.address }] };
		},
	};
	await using echo = NewEchoServiceClient(resolver, {
		hooks: {
			resolved: () => see("resolved"),
			endpointState: (_, state) => see(state),
		},
	});
	await storage.run("the first call", async () => {
		await echo.echo({});
		expect(storage.getStore()).toBe("the first call");
	});
	expect(seen).toEqual({
		watch: "nothing",
		"watch later": "nothing",
		resolved: "nothing",
		connecting: "nothing",
		ready: "nothing",
	});
});

test("a call itself stays in its caller's context", async () => {
	await using server = await serveStreams((stream) => answer(stream));
	await using echo = NewEchoServiceClient(server.address, {
		insecureCredentials: true,
		credentials: () => ({ "x-user": storage.getStore() ?? "nobody" }),
	});
	const seen: string[] = [];
	await echo.echo({});
	await storage.run("alice", async () => {
		await echo.echo(
			{},
			{ onHeader: () => seen.push(storage.getStore() ?? "nobody") },
		);
	});
	expect(seen).toEqual(["alice"]);
});
