/** The entry point `homing` for browsers: the same names, without Node's sockets, files and DNS. */
export {
	Code,
	ConnectError,
	createContextKey,
	createContextValues,
} from "@connectrpc/connect";
export { leastRequest } from "./balancer/least-request.ts";
export { pickFirst } from "./balancer/pick-first.ts";
export { ringHash } from "./balancer/ring-hash/ring-hash.ts";
export { roundRobin } from "./balancer/round-robin.ts";
export { OptionError } from "./checks/option-error.ts";
export {
	Channel,
	dnsResolver,
	fileResolver,
	newClient,
	srvResolver,
} from "./client/browser.ts";
export { channelOf, closeClient } from "./client/client-object.ts";
export { callOptionsKey } from "./client/options/call-options.ts";
export { MemoryRegistry, memoryRegistry } from "./discovery/memory.ts";
export { poll } from "./discovery/poll.ts";
export { staticResolver } from "./discovery/static.ts";
