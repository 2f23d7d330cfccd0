/** Flow control of the two ends written by hand: wide enough that they hold back no peer. */
export const STREAM_WINDOW_BYTES: number = 4 * 1024 * 1024;
export const WINDOW_BYTES: number = 16 * 1024 * 1024;

/** In MB: Node refuses the streams of a session that holds more than 10 MB. */
export const SESSION_MEMORY_MB = 1000;
