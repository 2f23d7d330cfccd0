import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Bench } from "../gen/bench_pb.ts";
import { SESSION_MEMORY_MB } from "../windows.ts";
import { handlers } from "./async-handlers.ts";

export async function start(): Promise<number> {
	const handler = connectNodeAdapter({
		routes: (router) => router.service(Bench, handlers),
	});
	const server = createServer({ maxSessionMemory: SESSION_MEMORY_MB }, handler);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return (server.address() as AddressInfo).port;
}
