/** Options of TLS, as node:tls has them; strings and bytes are PEM. */
export interface TlsOptions {
	/** Trusted instead of the platform's roots. */
	ca?: string | Uint8Array;
	/** Our own certificate, with its chain, for mutual TLS; with `key`. */
	cert?: string | Uint8Array;
	key?: string | Uint8Array;
	/** false accepts any certificate: for tests only. */
	rejectUnauthorized?: boolean;
	/** The name that the certificate must be made out to, instead of the authority's. */
	servername?: string;
}

/** Asked for each new connection, so that certificates can change without a restart. */
export type TlsSource = () => TlsOptions | Promise<TlsOptions>;
