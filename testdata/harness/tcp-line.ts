import { once } from "node:events";
import net from "node:net";

/** A TCP relay to a server that can hold back all data, as if the server were stopped, and go on later. */
export class TcpLine implements AsyncDisposable {
	readonly #server: net.Server;
	readonly #sockets = new Set<net.Socket>();
	readonly #held: (() => void)[] = [];
	#stopped = false;

	private constructor(behind: string) {
		const [host, port] = behind.split(":");
		this.#server = net.createServer((near) => {
			const far = net.connect(Number(port), host);
			this.#forward(near, far);
			this.#forward(far, near);
		});
	}

	static async before(behind: string): Promise<TcpLine> {
		const line = new TcpLine(behind);
		line.#server.listen(0, "127.0.0.1");
		await once(line.#server, "listening");
		return line;
	}

	get address(): string {
		return `127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
	}

	/** The open connections on both sides. */
	get open(): number {
		return this.#sockets.size;
	}

	stop(): void {
		this.#stopped = true;
	}

	/** Goes on, and delivers what was sent meanwhile. */
	goOn(): void {
		this.#stopped = false;
		for (const action of this.#held.splice(0)) action();
	}

	/** Closes all connections through it. New ones work as before. */
	cut(): void {
		for (const socket of this.#sockets) socket.destroy();
	}

	#forward(from: net.Socket, to: net.Socket): void {
		this.#sockets.add(from);
		from.on("error", () => {});
		from.on("data", (chunk) => this.#pass(() => to.write(chunk)));
		from.once("close", () => {
			this.#sockets.delete(from);
			this.#pass(() => to.destroy());
		});
	}

	#pass(action: () => void): void {
		if (this.#stopped) this.#held.push(action);
		else action();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const closed = once(this.#server, "close");
		this.#server.close();
		for (const socket of this.#sockets) socket.destroy();
		await closed;
	}
}
