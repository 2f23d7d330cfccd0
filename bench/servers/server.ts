/** Serves Bench on a free port of 127.0.0.1, in plaintext, and resolves with that port. */
export type StartServer = () => Promise<number>;
