import { once } from "node:events";
import { connect } from "node:net";
import { parseHostPort } from "../targets/host-port.ts";
import type { Probe } from "./first-that-answers.ts";

/** The same as the default `connectTimeout` of a channel. */
const TIMEOUT_MS = 5000;

/** Connects by TCP and sends nothing. Does not keep the process alive. */
export const tcpProbe: Probe = async (address, signal) => {
	signal.throwIfAborted();
	const socket = connect(parseHostPort(address, "address")).unref();
	socket.setTimeout(TIMEOUT_MS, () =>
		socket.destroy(new Error(`${address} does not answer`)),
	);
	try {
		await once(socket, "connect", { signal });
	} finally {
		socket.destroy();
	}
};
