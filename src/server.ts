/** The entry point `homing/server`: the server, its options, and what handlers use. */

import "./node-version.ts";

export { OptionError } from "./checks/option-error.ts";
export type {
	Instance,
	Registration,
	Registry,
} from "./discovery/registry.ts";
export type * from "./generated.ts";
export { type Peer, peerOf } from "./server/call/peer.ts";
export { push, type ResponseStream } from "./server/call/push.ts";
export { onConnectRouter } from "./server/connect-router.ts";
export type { CallCounts } from "./server/dispatcher.ts";
export type { ErrorHook, FailedCall } from "./server/options/error-hook.ts";
export type {
	RefusedHook,
	RefusedPeer,
} from "./server/options/refused-hook.ts";
export type {
	ServerKeepalive,
	ServerOptions,
} from "./server/options/server-options.ts";
export type { ShutdownOptions } from "./server/options/shutdown-options.ts";
export type {
	ServerTls,
	ServerTlsOptions,
} from "./server/options/tls-options.ts";
export { Server, type ServerSnapshot } from "./server/server.ts";
