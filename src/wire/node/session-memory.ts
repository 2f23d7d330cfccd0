/**
 * No limit. Node refuses streams and responses while a session holds more than its limit, which is 10 MB unless set; but
 * it also counts for ever what a stream had not sent yet when it was reset. Whatever the limit, enough calls that are
 * cancelled while flow control holds them up would make a connection useless.
 */
export const SESSION_MEMORY_MB: number = 2 ** 32 - 1;
