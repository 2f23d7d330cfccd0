/** Flow-control window of a stream that we read, in bytes. It is small, so that a slow reader stops its peer soon. */
export const STREAM_WINDOW_BYTES: number = 1024 * 1024;

/** Flow-control window of a connection that we read, in bytes. One stream that is held does not use it up. */
export const CONNECTION_WINDOW_BYTES: number = 4 * 1024 * 1024;
