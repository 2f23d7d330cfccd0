import { once } from "node:events";
import net from "node:net";

/** A request to the proxy: "CONNECT host:port HTTP/1.1", and its header fields by their lower-case names. */
export interface Asked {
	readonly line: string;
	readonly fields: Readonly<Record<string, string>>;
}

/** An HTTP proxy for CONNECT with its own table of names. */
export class ConnectProxy implements AsyncDisposable {
	readonly asked: Asked[] = [];
	/** Its answer instead of a connection. "" sends nothing. */
	answer: string | undefined;
	/** Delays its answer until the server has sent something, and then sends both together. */
	joined = false;
	readonly #server: net.Server;
	readonly #sockets = new Set<net.Socket>();
	readonly #routes: ReadonlyMap<string, string>;

	private constructor(routes: Readonly<Record<string, string>>) {
		this.#routes = new Map(Object.entries(routes));
		this.#server = net.createServer((near) => {
			this.#track(near);
			let head = "";
			near.on("data", (chunk) => {
				head += chunk.toString("latin1");
				if (!head.endsWith("\r\n\r\n")) return;
				near.removeAllListeners("data").pause();
				this.#connect(near, head);
			});
		});
	}

	/** @param routes maps "name:port" to the "host:port" that it connects to */
	static async start(
		routes: Readonly<Record<string, string>> = {},
	): Promise<ConnectProxy> {
		const proxy = new ConnectProxy(routes);
		proxy.#server.listen(0, "127.0.0.1");
		await once(proxy.#server, "listening");
		return proxy;
	}

	/** Its address: "127.0.0.1:port". */
	get address(): string {
		return `127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
	}

	/** The open connections on both sides. */
	get open(): number {
		return this.#sockets.size;
	}

	/** Closes all connections through it. */
	end(): void {
		for (const socket of this.#sockets) socket.destroy();
	}

	#connect(near: net.Socket, head: string): void {
		const [line = "", ...fields] = head.trimEnd().split("\r\n");
		this.asked.push({
			line,
			fields: Object.fromEntries(
				fields.map((field) => {
					const [, name = "", value = ""] =
						/^([^:]+): *(.*)$/.exec(field) ?? [];
					return [name.toLowerCase(), value];
				}),
			),
		});
		if (this.answer !== undefined) {
			near.resume().write(this.answer);
			return;
		}
		const route = this.#routes.get(line.split(" ")[1] ?? "");
		if (route === undefined) {
			near.resume().end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
			return;
		}
		const [host, port] = route.split(":");
		const far = net.connect(Number(port), host);
		this.#track(far);
		near.once("close", () => far.destroy());
		far.once("close", () => near.destroy());
		const established =
			"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n";
		if (!this.joined) {
			near.write(established);
			far.pipe(near);
		} else {
			far.once("data", (first) => {
				near.write(Buffer.concat([Buffer.from(established), first]));
				far.pipe(near);
			});
		}
		near.pipe(far);
	}

	#track(socket: net.Socket): void {
		this.#sockets.add(socket);
		socket.on("error", () => {});
		socket.once("close", () => this.#sockets.delete(socket));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const closed = once(this.#server, "close");
		this.#server.close();
		this.end();
		await closed;
	}
}
