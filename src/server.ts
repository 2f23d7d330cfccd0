/** Serving gRPC. */
export type * from "./generated.ts";
export { type Peer, peerOf } from "./server/peer.ts";
export { Server } from "./server/server.ts";
export type { ServerOptions } from "./server/server-options.ts";
