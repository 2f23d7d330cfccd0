import { once } from "node:events";
import net from "node:net";

/** A way to a server that can begin to swallow all there is, as a broken switch or a firewall does: no answer, no error. */
export class BlackHole implements AsyncDisposable {
	readonly #server: net.Server;
	readonly #sockets = new Set<net.Socket>();
	#open = false;

	private constructor(behind: string) {
		const [host, port] = behind.split(":");
		this.#server = net.createServer((near) => {
			this.#keep(near);
			if (this.#open) return;
			const far = net.connect(Number(port), host);
			this.#keep(far);
			near.pipe(far);
			far.pipe(near);
		});
	}

	static async before(behind: string): Promise<BlackHole> {
		const hole = new BlackHole(behind);
		hole.#server.listen(0, "127.0.0.1");
		await once(hole.#server, "listening");
		return hole;
	}

	get address(): string {
		return `127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
	}

	/** From now on it swallows. */
	open(): void {
		this.#open = true;
		this.forget();
	}

	/** What stands is swallowed from now on, and new connections are made as before: a NAT that has lost its entries. */
	forget(): void {
		for (const socket of this.#sockets) {
			socket.unpipe();
			socket.removeAllListeners("data");
			socket.pause();
		}
	}

	#keep(socket: net.Socket): void {
		this.#sockets.add(socket);
		socket.on("error", () => socket.destroy());
		socket.once("close", () => this.#sockets.delete(socket));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		this.#server.close();
		await once(this.#server, "close");
	}
}
