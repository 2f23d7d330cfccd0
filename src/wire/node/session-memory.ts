/**
 * No limit. Node refuses streams and responses while a session holds more memory than its limit, 10 MB by default. But it
 * never stops counting the unsent bytes of a stream that was reset: with any limit, enough calls that are cancelled while
 * flow control blocks them would make a connection useless.
 */
export const SESSION_MEMORY_MB: number = 2 ** 32 - 1;
