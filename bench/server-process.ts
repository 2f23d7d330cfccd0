/** Runs one measured server in its own process: `node bench/server-process.ts PEER`. */

import { type Peer, serverOf } from "./peers.ts";
import { answerWith, cpuMs } from "./side.ts";

/** The state of a server. */
export interface Standing {
	readonly port: number;
	/** CPU time of its process so far, in milliseconds. */
	readonly cpuMs: number;
}

const start = await serverOf(process.argv[2] as Peer);
const port = await start();

answerWith<null, Standing>(async () => ({ port, cpuMs: cpuMs() }));
