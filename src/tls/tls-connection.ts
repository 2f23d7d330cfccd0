import { isIP } from "node:net";
import {
	type ConnectionOptions,
	checkServerIdentity,
	type PeerCertificate,
} from "node:tls";
import { shown } from "../checks/option-error.ts";
import { printRejection } from "../policy/guarded.ts";
import { cachedSecureContext } from "./secure-context.ts";
import { type TlsOptions, type TlsSource, tlsOptions } from "./tls-options.ts";

/** The TLS parameters of one connection. */
export interface TlsConnection {
	/** The name that the server's certificate must match. */
	readonly name: string;
	/** The options of node:tls, without the address and ALPN. */
	readonly options: ConnectionOptions;
}

/**
 * Returns a function that makes the TLS parameters of each connection from the user's options. Its promise rejects if
 * `source` fails, and with an OptionError if the options are invalid.
 *
 * @param serverName the name that the certificate must match if the options have no `servername`
 */
export function tlsConnections(
	source: TlsSource,
	serverName: string,
): (address: string) => Promise<TlsConnection> {
	const contextOf = cachedSecureContext();
	return async (address) => {
		const options = tlsOptions(await source(address), "tls()");
		const name = options.servername ?? serverName;
		return {
			name,
			options: {
				secureContext: contextOf(options, "tls()"),
				rejectUnauthorized: options.rejectUnauthorized ?? true,
				// Server Name Indication cannot carry an IP address (RFC 6066 section 3).
				servername: isIP(name) === 0 ? name : "",
				checkServerIdentity: (_host, certificate) =>
					identityError(options, name, certificate),
			},
		};
	};
}

/**
 * Returns why a certificate does not belong to the server; undefined if it does. Catches what the user's check throws,
 * which would otherwise be an uncaught exception.
 */
function identityError(
	{ checkServerIdentity: own }: TlsOptions,
	name: string,
	certificate: PeerCertificate,
): Error | undefined {
	if (own === undefined) return checkServerIdentity(name, certificate);
	let refusal: unknown;
	try {
		refusal = own(name, certificate);
	} catch (error) {
		refusal = error;
	}
	if (refusal === undefined) return undefined;
	printRejection(refusal, "tls.checkServerIdentity");
	return new Error(
		refusal instanceof Error
			? `tls.checkServerIdentity refused the certificate: ${refusal.message}`
			: `tls.checkServerIdentity returned ${shown(refusal)}; an Error refuses the certificate, undefined accepts it`,
		{ cause: refusal },
	);
}
