import { once } from "node:events";
import net from "node:net";

/** A proxy to a server that can start to drop all data without closing connections, as a broken switch or a firewall does. */
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

	/** Drops everything from now on, on old and new connections. */
	open(): void {
		this.#open = true;
		this.forget();
	}

	/** Drops everything on existing connections, while new ones work: like a NAT that has lost its table. */
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
