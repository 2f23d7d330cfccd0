/** The client that a server has refused something, or cut off. */
export interface RefusedPeer {
	/** "10.0.0.7:41234"; "unix:" for a client on a unix socket. */
	readonly address: string;
}

/**
 * Hears what a server has refused or cut off. `what` begins with the name of the option that asks for it
 * ("maxMetadataBytes: ..."), or with "handshake", "protocol" or "resets".
 */
export type RefusedHook = (what: string, peer: RefusedPeer) => void;
