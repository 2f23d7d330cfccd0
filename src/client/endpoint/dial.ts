import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
	type Address,
	formatAddress,
} from "../../discovery/targets/address.ts";
import { tlsConnections } from "../../tls/tls-connection.ts";
import { explainTls, noHttp2 } from "../../tls/tls-errors.ts";
import type { TlsSource } from "../../tls/tls-options.ts";

/** Connects to one address; rejects with the signal's reason when it fires. */
export type Dial = (address: Address, signal: AbortSignal) => Promise<Socket>;

/** Dials plaintext. */
export const dialPlaintext: Dial = (address, signal) =>
	settled(connectTcp(whereOf(address)), "connect", signal);

/**
 * Dials TLS, HTTP/2 agreed by ALPN (RFC 9113 section 3.2).
 *
 * @param under dials what TLS is spoken over, where that is not TCP
 */
export function tlsDialer(
	source: TlsSource,
	serverName: string,
	under?: Dial,
): Dial {
	const connectionTo = tlsConnections(source, serverName);
	return async (address, signal) => {
		const at = formatAddress(address);
		const { name, options } = await unlessAborted(connectionTo(at), signal);
		const socket = connectTls({
			...(under === undefined
				? whereOf(address)
				: { socket: await under(address, signal) }),
			...options,
			ALPNProtocols: ["h2"],
		});
		try {
			await settled(socket, "secureConnect", signal);
		} catch (error) {
			throw explainTls(error as Error, at, name);
		}
		if (socket.alpnProtocol !== "h2") {
			socket.destroy();
			throw new Error(noHttp2(at));
		}
		return socket;
	};
}

/** Dials sockets that keep no process alive, whatever is asked of them later. */
export function idleDialer(dial: Dial): Dial {
	return async (address, signal) => {
		const socket = await dial(address, signal);
		socket.ref = () => socket;
		return socket;
	};
}

/** Rejects with the signal's reason, should that fire first. */
export function unlessAborted<T>(
	value: T | Promise<T>,
	signal: AbortSignal,
): Promise<T> {
	return new Promise((resolve, reject) => {
		const abort = (): void => reject(signal.reason);
		if (signal.aborted) abort();
		signal.addEventListener("abort", abort, { once: true });
		Promise.resolve(value)
			.then(resolve, reject)
			.finally(() => signal.removeEventListener("abort", abort));
	});
}

function whereOf(
	address: Address,
): { host: string; port: number } | { path: string } {
	return address.kind === "tcp"
		? { host: address.host, port: address.port }
		: { path: address.path };
}

function settled<S extends Socket>(
	socket: S,
	event: "connect" | "secureConnect",
	signal: AbortSignal,
): Promise<S> {
	// While it connects it is a waiting call, if anything, that keeps the process alive.
	socket.unref();
	socket.setNoDelay(true);
	return new Promise((resolve, reject) => {
		const abort = (): void => {
			socket.destroy();
			settle();
			reject(signal.reason);
		};
		const fail = (error: Error): void => {
			settle();
			reject(error instanceof AggregateError ? joined(error) : error);
		};
		const close = (): void =>
			fail(new Error("the peer closed the connection while it was set up"));
		const succeed = (): void => {
			settle();
			resolve(socket);
		};
		const settle = (): void => {
			signal.removeEventListener("abort", abort);
			socket.off(event, succeed).off("close", close).off("error", fail);
			// Between here and the HTTP/2 session nobody else listens.
			socket.on("error", () => {});
		};
		signal.addEventListener("abort", abort, { once: true });
		socket.once(event, succeed).once("close", close).once("error", fail);
		if (signal.aborted) abort();
	});
}

/** What became of each address of a name that has several: Node's own error has no words. */
function joined(error: AggregateError): Error {
	const messages = error.errors.map((one: Error) => one.message);
	return new Error(messages.join("; "), { cause: error });
}
