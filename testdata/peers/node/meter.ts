/** A TCP relay that counts the bytes in each direction. */

import net from "node:net";

export interface Meter {
	readonly address: string;
	/** The bytes from clients to the server, and from the server to clients. */
	readonly up: number;
	readonly down: number;
	stop(): Promise<void>;
}

export async function meter(address: string): Promise<Meter> {
	const { hostname, port } = new URL(`tcp://${address}`);
	const sockets = new Set<net.Socket>();
	let up = 0;
	let down = 0;
	const relay = net.createServer({ noDelay: true }, (client) => {
		const server = net.connect({
			host: hostname,
			port: Number(port),
			noDelay: true,
		});
		client.on("data", (chunk) => {
			up += chunk.length;
		});
		server.on("data", (chunk) => {
			down += chunk.length;
		});
		for (const [from, to] of [
			[client, server],
			[server, client],
		] as const) {
			sockets.add(from);
			from.pipe(to);
			from.on("error", () => to.destroy());
			from.on("close", () => {
				sockets.delete(from);
				to.destroy();
			});
		}
	});
	await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
	return {
		address: `127.0.0.1:${(relay.address() as net.AddressInfo).port}`,
		get up() {
			return up;
		},
		get down() {
			return down;
		},
		stop: () =>
			new Promise((resolve) => {
				relay.close(() => resolve());
				for (const socket of sockets) socket.destroy();
			}),
	};
}
