import { createServer } from "node:net";

/** Finds a free port outside the range of ephemeral ports, so that it is still free when a server is started again. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
	for (;;) {
		const port = 20_000 + Math.floor(Math.random() * 12_000);
		if (await isFree(port, host)) return port;
	}
}

async function isFree(port: number, host: string): Promise<boolean> {
	const probe = createServer();
	const free = await new Promise<boolean>((resolve) => {
		probe.once("error", () => resolve(false));
		probe.listen(port, host, () => resolve(true));
	});
	if (free) await new Promise((resolve) => probe.close(resolve));
	return free;
}
