import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";

/**
 * Removes the socket file that a dead process has left behind, on which nobody accepts connections. Returns whether it did.
 * Other files, and sockets in use, stay.
 */
export async function unlinkIfStale(path: string): Promise<boolean> {
	if (path.startsWith("\0")) return false;
	const found = await lstat(path);
	if (!found.isSocket() || !(await isRefused(path))) return false;
	await unlink(path);
	return true;
}

function isRefused(path: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(path);
		socket.once("connect", () => {
			// No reset: whoever listens there may be writing already.
			socket.resume().end();
			resolve(false);
		});
		socket.once("error", (error: NodeJS.ErrnoException) =>
			resolve(error.code === "ECONNREFUSED"),
		);
	});
}
