/** Flow control: what one stream may have under way towards us, so that a slow reader soon stops its peer. */
export const STREAM_WINDOW_BYTES: number = 1024 * 1024;

/** What all streams of a connection may have under way together: enough that one held stream stops no other. */
export const CONNECTION_WINDOW_BYTES: number = 4 * 1024 * 1024;
