/** Flow-control windows of the client and server on bare `node:http2`: wide enough never to slow down a peer. */
export const STREAM_WINDOW_BYTES: number = 4 * 1024 * 1024;
export const WINDOW_BYTES: number = 16 * 1024 * 1024;

/** The memory limit of a session in MB. By default, Node refuses streams of a session that holds more than 10 MB. */
export const SESSION_MEMORY_MB = 1000;
