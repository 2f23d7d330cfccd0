import { isIP } from "node:net";
import {
	type ConnectionOptions,
	checkServerIdentity,
	type PeerCertificate,
} from "node:tls";
import { shown } from "../checks/option-error.ts";
import { disarm } from "../policy/guarded.ts";
import { contextKeeper } from "./secure-context.ts";
import { type TlsOptions, type TlsSource, tlsOptions } from "./tls-options.ts";

/** How one connection is secured. */
export interface TlsConnection {
	/** What the certificate has to be made out to. */
	readonly name: string;
	/** For node:tls, but for where it connects to, and ALPN. */
	readonly options: ConnectionOptions;
}

/**
 * Makes ready what a source says of each connection. Rejects with what is wrong with it.
 *
 * @param serverName used where the options name none
 */
export function tlsConnections(
	source: TlsSource,
	serverName: string,
): (address: string) => Promise<TlsConnection> {
	const contextOf = contextKeeper();
	return async (address) => {
		const options = tlsOptions(await source(address), "tls()");
		const name = options.servername ?? serverName;
		return {
			name,
			options: {
				secureContext: contextOf(options, "tls()"),
				rejectUnauthorized: options.rejectUnauthorized ?? true,
				// Server Name Indication has no place for an address (RFC 6066 section 3).
				servername: isIP(name) === 0 ? name : "",
				checkServerIdentity: (_host, certificate) =>
					identityError(options, name, certificate),
			},
		};
	};
}

/** Why a certificate is not that of the server. What a check of the user's throws would be an uncaught exception. */
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
	disarm(refusal, "tls.checkServerIdentity");
	return new Error(
		refusal instanceof Error
			? `tls.checkServerIdentity refused the certificate: ${refusal.message}`
			: `tls.checkServerIdentity returned ${shown(refusal)}; an Error refuses the certificate, undefined accepts it`,
		{ cause: refusal },
	);
}
