import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** The size of all reachable objects and their buffers, in bytes. */
export function reachableBytes(): number {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	collect();
	collect();
	const { heapUsed, arrayBuffers } = process.memoryUsage();
	return heapUsed + arrayBuffers;
}
