import { createServer } from "nice-grpc";
import { benchDefinition } from "../grpc-definition.ts";
import { handlers } from "./async-handlers.ts";

export function start(): Promise<number> {
	const server = createServer();
	server.add(benchDefinition, handlers);
	return server.listen("127.0.0.1:0");
}
