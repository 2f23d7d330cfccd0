/** Serves Bench in plaintext on a free port of 127.0.0.1. Resolves with the port. */
export type StartServer = () => Promise<number>;
