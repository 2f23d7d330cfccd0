import { lookup } from "node:dns/promises";
import {
	type AddressInfo,
	createServer,
	isIP,
	type ListenOptions,
	type Server,
	type Socket,
} from "node:net";
import {
	type Address,
	formatAddress,
} from "../../discovery/targets/address.ts";
import { unlinkIfStale } from "./unix-socket.ts";

/** An address on which connections are accepted. */
export interface Listener {
	/** The address, with the port that the system chose if it was asked to. */
	readonly address: Address;
	/** Accepts no more connections, and frees the address. Open connections go on. */
	close(): void;
}

type OnSocket = (socket: Socket) => void;

/** How long a connection is quiet before the system sends TCP keepalive probes, in milliseconds. */
const TCP_KEEPALIVE_MS = 60_000;

/** How often another free port is tried if it is in use on other addresses of the same name. */
const PORT_TRIES = 5;

/**
 * Accepts connections on an address; for a name, on each of its addresses. The file of a unix socket that a dead process has
 * left behind is replaced.
 *
 * @throws Error that says why the address cannot be listened on, with the system's error as its cause and that error's `code`
 */
export async function listenAt(
	address: Address,
	onSocket: OnSocket,
): Promise<Listener> {
	try {
		return address.kind === "unix"
			? await listenOnPath(address, onSocket)
			: await listenOnHost(address, onSocket);
	} catch (error) {
		throw explained(address, error as NodeJS.ErrnoException);
	}
}

async function listenOnPath(
	address: Address & { kind: "unix" },
	onSocket: OnSocket,
): Promise<Listener> {
	const { path } = address;
	let server: Server;
	try {
		server = await bind({ path }, onSocket);
	} catch (error) {
		if (codeOf(error) !== "EADDRINUSE" || !(await unlinkIfStale(path))) {
			throw error;
		}
		server = await bind({ path }, onSocket);
	}
	return { address, close: () => server.close() };
}

async function listenOnHost(
	address: Address & { kind: "tcp" },
	onSocket: OnSocket,
): Promise<Listener> {
	const { host, port } = address;
	const hosts =
		isIP(host) === 0
			? (await lookup(host, { all: true })).map((found) => found.address)
			: [host];
	for (let tries = 1; ; tries++) {
		try {
			const servers = await bindAll(hosts, port, onSocket);
			return {
				address: { ...address, port: portOf(servers) },
				close: () => closeAll(servers),
			};
		} catch (error) {
			const another = port === 0 && codeOf(error) === "EADDRINUSE";
			if (!another || tries === PORT_TRIES) throw error;
		}
	}
}

/** Creates one server for each host, all on the same port. */
async function bindAll(
	hosts: readonly string[],
	port: number,
	onSocket: OnSocket,
): Promise<Server[]> {
	const servers: Server[] = [];
	let failure: unknown;
	for (const host of hosts) {
		try {
			const samePort = servers.length > 0 ? portOf(servers) : port;
			servers.push(await bind({ host, port: samePort }, onSocket));
		} catch (error) {
			failure = error;
			// A name may have an IPv6 address though the machine has no IPv6.
			if (!isAbsent(error)) break;
		}
	}
	if (servers.length === 0 || (failure !== undefined && !isAbsent(failure))) {
		closeAll(servers);
		throw failure;
	}
	return servers;
}

function bind(options: ListenOptions, onSocket: OnSocket): Promise<Server> {
	const server = createServer(
		{
			noDelay: true,
			keepAlive: true,
			keepAliveInitialDelay: TCP_KEEPALIVE_MS,
		},
		onSocket,
	);
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen({ ...options, exclusive: false }, () => {
			server.off("error", reject);
			resolve(server);
		});
	});
}

function portOf(servers: readonly Server[]): number {
	const [first] = servers as [Server, ...Server[]];
	return (first.address() as AddressInfo).port;
}

function closeAll(servers: readonly Server[]): void {
	for (const server of servers) server.close();
}

function codeOf(error: unknown): string | undefined {
	return (error as NodeJS.ErrnoException).code;
}

function isAbsent(error: unknown): boolean {
	const code = codeOf(error);
	return code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT";
}

function explained(address: Address, cause: NodeJS.ErrnoException): Error {
	const error = new Error(
		`cannot listen on ${formatAddress(address)}: ${whyOf(address, cause)}`,
		{ cause },
	);
	return Object.assign(error, { code: cause.code });
}

function whyOf(
	address: Address,
	{ code, message }: NodeJS.ErrnoException,
): string {
	const tcp = address.kind === "tcp";
	switch (code) {
		case "EADDRINUSE":
			return tcp
				? "the port is in use; stop what listens there, or listen on another port (0 picks a free one)"
				: "the socket is in use, or the file is no socket; stop what listens there, or listen on another path";
		case "EACCES":
			return tcp
				? "this process may not; ports below 1024 need a privilege, so listen on a higher one"
				: "there is no such directory, or this process may not write there; make it, or listen on another path";
		case "EADDRNOTAVAIL":
			return "this machine has no such address; listen on one that it has, or on 0.0.0.0 or [::] for all of them";
		case "EAFNOSUPPORT":
			return "this machine has no IPv6; listen on an IPv4 address, such as 0.0.0.0 for all of them";
		case "ENOTFOUND":
			return "no such host is known; listen on an address, such as 0.0.0.0 for all of this machine's";
		default:
			return message;
	}
}
