/** An HTTP proxy that can interfere with requests. */

import { once } from "node:events";
import {
	createServer,
	type IncomingMessage,
	request as requestHttp,
	type Server,
	type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** Handles a request. If it returns true, the request is not forwarded to the server. */
export type Interference = (
	request: IncomingMessage,
	response: ServerResponse,
) => boolean;

export class HttpProxy implements AsyncDisposable {
	/** Its address: "127.0.0.1:port". */
	readonly address: string;
	/** All requests, as "GET /path?query". */
	readonly seen: string[] = [];
	interfere: Interference = () => false;
	readonly #server: Server;

	/** @param behind the "host:port" to which it forwards; without it, requests are not forwarded */
	static async start(behind?: string): Promise<HttpProxy> {
		const server = createServer();
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		return new HttpProxy(server, behind);
	}

	private constructor(server: Server, behind: string | undefined) {
		this.#server = server;
		this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
		server.on("request", (request, response) => {
			this.seen.push(`${request.method} ${request.url}`);
			if (this.interfere(request, response)) return;
			if (behind === undefined) response.writeHead(502).end();
			else pass(request, response, behind);
		});
	}

	/** Closes all connections, as a server does when it is restarted. */
	cut(): void {
		this.#server.closeAllConnections();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.cut();
		this.#server.close();
		await once(this.#server, "close");
	}
}

function pass(
	request: IncomingMessage,
	response: ServerResponse,
	behind: string,
): void {
	const { method, url, headers } = request;
	const onward = requestHttp(`http://${behind}${url}`, { method, headers });
	request.pipe(onward);
	response.once("close", () => onward.destroy());
	onward.on("error", () => response.destroy());
	onward.on("response", (answer) => {
		response.writeHead(answer.statusCode ?? 500, answer.headers);
		answer.pipe(response);
	});
}
