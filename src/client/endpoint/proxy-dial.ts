import type { Socket } from "node:net";
import { shown } from "../../checks/option-error.ts";
import { formatAddress } from "../../discovery/targets/address.ts";
import type { HttpProxy } from "../options/proxy.ts";
import { type Dial, dialPlaintext } from "./dial.ts";

/** Of what a proxy says before the tunnel begins. */
const MAX_HEAD_BYTES = 16 * 1024;

/**
 * Dials through a proxy, which finds the address by itself; sockets of this machine it dials past it.
 * Rejects with an error that names the proxy and what it answered.
 */
export function dialThrough(proxy: HttpProxy): Dial {
	return async (address, signal) => {
		if (address.kind === "unix") return dialPlaintext(address, signal);
		let socket: Socket;
		try {
			socket = await dialPlaintext({ ...proxy, kind: "tcp" }, signal);
		} catch (error) {
			signal.throwIfAborted();
			throw new Error(
				`the proxy ${proxy.name} cannot be reached: ${(error as Error).message}`,
				{ cause: error },
			);
		}
		const to = formatAddress(address);
		try {
			socket.write(requestOf(proxy, to));
			const status = await answerOf(socket, proxy, to, signal);
			if (!/^200( |$)/.test(status)) throw refused(proxy, to, status);
			return socket;
		} catch (error) {
			socket.destroy();
			throw error;
		}
	};
}

function requestOf({ authorization }: HttpProxy, to: string): string {
	return [
		`CONNECT ${to} HTTP/1.1`,
		`Host: ${to}`,
		...(authorization === undefined
			? []
			: [`Proxy-Authorization: ${authorization}`]),
		"\r\n",
	].join("\r\n");
}

/** The status and its words. What comes after the answer's head is the server's, and stays in the socket. */
function answerOf(
	socket: Socket,
	proxy: HttpProxy,
	to: string,
	signal: AbortSignal,
): Promise<string> {
	return new Promise((resolve, reject) => {
		let received: Buffer = Buffer.alloc(0);
		const settle = (): void => {
			signal.removeEventListener("abort", abort);
			socket.off("readable", read).off("close", close).off("error", fail);
		};
		const fail = (cause: Error): void => {
			settle();
			reject(
				new Error(
					`the proxy ${proxy.name}, asked for ${to}, ${cause.message}`,
					{ cause },
				),
			);
		};
		const abort = (): void => {
			settle();
			reject(signal.reason);
		};
		const close = (): void =>
			fail(new Error("closed the connection before it had answered"));
		const read = (): void => {
			for (;;) {
				const chunk: Buffer | null = socket.read();
				if (chunk === null) break;
				received = Buffer.concat([received, chunk]);
			}
			const end = received.indexOf("\r\n\r\n");
			const head = received.toString("latin1", 0, end < 0 ? undefined : end);
			if (!/^(HTTP\/1\.|H?T?T?P?\/?1?\.?$)/.test(head)) {
				fail(new Error(`did not answer in HTTP/1: ${shown(head)}`));
			} else if (end >= 0) {
				settle();
				const rest = received.subarray(end + 4);
				if (rest.length > 0) socket.unshift(rest);
				resolve(head.replace(/^HTTP\/1\.\d +([^\r]*)[\s\S]*$/, "$1"));
			} else if (received.length > MAX_HEAD_BYTES) {
				fail(new Error(`answered with more than ${MAX_HEAD_BYTES} bytes`));
			}
		};
		signal.addEventListener("abort", abort, { once: true });
		socket.on("readable", read).once("close", close).once("error", fail);
		if (signal.aborted) abort();
	});
}

function refused(proxy: HttpProxy, to: string, status: string): Error {
	return new Error(
		`the proxy ${proxy.name}, asked for ${to}, answered ${shown(status)}${adviceOn(status, proxy)}`,
	);
}

function adviceOn(status: string, { authorization }: HttpProxy): string {
	switch (status.slice(0, 3)) {
		case "407":
			return authorization === undefined
				? ": set user and password in its URL, as in http://user:password@host:port"
				: ": it does not take the user and the password in its URL";
		case "403":
			return ": it may lead to no such host, or not to this port";
		case "405":
		case "501":
			return ": is it a proxy that knows CONNECT?";
		default:
			return "";
	}
}
