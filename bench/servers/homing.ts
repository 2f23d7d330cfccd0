/** homing with its default options. */

import { Server } from "homing/server";
import { RegisterBenchServer } from "../gen/bench_rpc.ts";
import { handlers } from "./async-handlers.ts";

export async function start(): Promise<number> {
	const server = new Server();
	RegisterBenchServer(server, handlers);
	const { port } = await server.listen("127.0.0.1:0");
	return port;
}
