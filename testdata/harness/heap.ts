import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes of what can be reached: objects, and the buffers that they hold. */
export function reachableBytes(): number {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	collect();
	collect();
	const { heapUsed, arrayBuffers } = process.memoryUsage();
	return heapUsed + arrayBuffers;
}
