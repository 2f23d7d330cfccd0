import { once } from "node:events";
import { connect } from "node:net";
import { parseHostPort } from "../targets/host-port.ts";
import type { Reach } from "./first-that-answers.ts";

/** As long as a channel waits for a connection. */
const TIMEOUT_MS = 5000;

/** Connects by TCP and says nothing. Keeps no process alive. */
export const tcpReach: Reach = async (address, signal) => {
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
