/** The client that was refused or cut off. */
export interface RefusedPeer {
	/** Its address: "10.0.0.7:41234". "unix:" for a client on a Unix socket. */
	readonly address: string;
}

/**
 * The type of the option `onRefused`: called when a server refuses something or cuts a client off. `what` begins with the name of
 * the option whose limit was exceeded ("maxMetadataBytes: …"), or with "handshake", "protocol" or "resets".
 */
export type RefusedHook = (what: string, peer: RefusedPeer) => void;
