/** One server under measurement, alone in its process: `node bench/server-process.ts PEER`. */

import { type Peer, serverOf } from "./peers.ts";
import { answerWith, cpuMs } from "./side.ts";

/** How a server stands. */
export interface Standing {
	readonly port: number;
	/** Of its process, so far. */
	readonly cpuMs: number;
}

const start = await serverOf(process.argv[2] as Peer);
const port = await start();

answerWith<null, Standing>(async () => ({ port, cpuMs: cpuMs() }));
