import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { formatDuration } from "../../checks/duration.ts";
import {
	type Address,
	formatAddress,
} from "../../discovery/targets/address.ts";
import type { Clock } from "../../policy/clock.ts";
import { explainTls } from "../../tls/tls-errors.ts";
import type {
	ClientConnection,
	ConnectionListener,
} from "../../wire/connection.ts";
import { clientConnection } from "../../wire/node/client-connection.ts";
import type { Dial } from "./dial.ts";

/** What a connection tells the one who asked for it, from the first packet to its end. */
export interface ConnectListener extends Omit<ConnectionListener, "ready"> {
	/** TCP, or TLS, stands; what is left is the greeting. May be left out: it serves messages only. */
	accepted(): void;
}

/**
 * Connects to one address: resolves when the peer has sent its SETTINGS, and is known to speak HTTP/2. Rejects with what
 * went wrong, or with the signal's reason when that fires. The listener may hear of an end before the promise settles.
 */
export type Connect = (
	address: Address,
	listener: ConnectListener,
	signal: AbortSignal,
) => Promise<ClientConnection>;

/** Connects over what `dial` dials. */
export function connectOver(dial: Dial): Connect {
	return async (address, listener, signal) => {
		const socket = await dial(address, signal);
		listener.accepted();
		return greeted(socket, address, listener, signal);
	};
}

/**
 * Gives up after `timeoutMs`, from the first packet to SETTINGS. In the message, `way` is said of the address, and `first` is
 * what it has to do before its SETTINGS.
 */
export function connectWithin(
	timeoutMs: number,
	connect: Connect,
	clock: Clock,
	way = "",
	first = "to accept the connection",
): Connect {
	return async (address, listener, given) => {
		const attempt = new AbortController();
		const giveUp = (): void => attempt.abort(given.reason);
		given.addEventListener("abort", giveUp, { once: true });
		let missing = first;
		const timer = clock.afterIdle(timeoutMs, () =>
			attempt.abort(
				new Error(
					`connect timeout: waited ${formatDuration(timeoutMs)} for ${formatAddress(address)}${way} ${missing}`,
				),
			),
		);
		const watched: ConnectListener = {
			accepted: () => {
				missing = "to send its HTTP/2 SETTINGS: is it a gRPC server?";
				listener.accepted();
			},
			room: () => listener.room(),
			goaway: (goaway) => listener.goaway(goaway),
			closed: (error) => listener.closed(error),
		};
		try {
			if (given.aborted) giveUp();
			return await connect(address, watched, attempt.signal);
		} finally {
			clock.cancel(timer);
			given.removeEventListener("abort", giveUp);
		}
	};
}

function greeted(
	socket: Socket,
	address: Address,
	listener: ConnectListener,
	signal: AbortSignal,
): Promise<ClientConnection> {
	return new Promise((resolve, reject) => {
		const fail = (): void => {
			connection.destroy();
			reject(signal.reason);
		};
		const connection = clientConnection(socket, {
			ready: () => {
				signal.removeEventListener("abort", fail);
				resolve(connection);
			},
			room: () => listener.room(),
			goaway: (goaway) => listener.goaway(goaway),
			closed: (error) => {
				signal.removeEventListener("abort", fail);
				reject(notHttp2(address, error, socket instanceof TLSSocket));
				listener.closed(error);
			},
		});
		signal.addEventListener("abort", fail, { once: true });
	});
}

/** Said of a connection that was lost before it was one. */
function notHttp2(
	address: Address,
	error: Error | undefined,
	isTls: boolean,
): Error {
	const at = formatAddress(address);
	// A server may refuse our certificate only after it has shown its own (RFC 8446 section 4.4.2.4).
	const refused = error && explainTls(error, at, "");
	if (refused !== undefined && refused !== error) return refused;
	const isSilent =
		error === undefined || /ECONNRESET|EPIPE/.test(error.message);
	const what = isSilent
		? `${at} closed the connection before any HTTP/2`
		: `${at} did not answer in HTTP/2 (${error.message})`;
	return new Error(`${what}: ${guess(isSilent, isTls)}`, { cause: error });
}

/** A server that has ended, one that turns a client away and one that wants TLS may all hang up without a word. */
function guess(isSilent: boolean, isTls: boolean): string {
	if (isSilent) {
		return isTls
			? "it has ended, or turned the client away (as it may do for want of a certificate that it trusts: tls.cert)"
			: "it has ended, or does not speak HTTP/2 in plaintext (a server with TLS needs the option `tls`)";
	}
	return isTls
		? "is it an HTTP/1.1 server?"
		: "is it an HTTP/1.1 server, or a TLS server reached without `tls`?";
}
