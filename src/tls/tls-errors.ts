/**
 * Turns a TLS error into one that says what is wrong and what to change. Returns an error that is not a TLS error as it is.
 *
 * @param at the address, for the message
 * @param name the name that the server's certificate had to match
 */
export function explainTls(
	error: Error & { code?: string },
	at: string,
	name: string,
): Error {
	const because = (text: string): Error =>
		new Error(`${text} (${openSslReason(error) ?? error.message})`, {
			cause: error,
		});
	switch (error.code) {
		case "EPROTO":
		case "ERR_SSL_WRONG_VERSION_NUMBER":
			return because(`${at} does not speak TLS: is it a plaintext server?`);
		case "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL":
			return because(noHttp2(at));
		case "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION":
		case "ERR_SSL_UNSUPPORTED_PROTOCOL":
			return because(
				`${at} and this side have no TLS version in common: the lowest is TLS 1.2, or what tls.minVersion says`,
			);
		case "ERR_TLS_CERT_ALTNAME_INVALID":
			return because(
				`the certificate of ${at} is not for "${name}": set \`authority\` or \`tls.servername\` to a name in the certificate`,
			);
		case "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED":
			return because(
				`${at} asks for a client certificate: set tls.cert and tls.key`,
			);
		case "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE":
		case "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED":
		case "ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED":
		case "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN":
		case "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED":
		case "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA":
			return because(`${at} refused the client's certificate, tls.cert`);
		case "DEPTH_ZERO_SELF_SIGNED_CERT":
		case "SELF_SIGNED_CERT_IN_CHAIN":
		case "UNABLE_TO_GET_ISSUER_CERT":
		case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
		case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
			return because(
				`the certificate of ${at} is not trusted: set tls.ca to the authority that issued it`,
			);
		case "CERT_REVOKED":
			return because(
				`the certificate of ${at} is revoked: a list in tls.crl names it`,
			);
		case "UNABLE_TO_GET_CRL":
			return because(
				`cannot tell whether the certificate of ${at} is revoked: tls.crl needs a list of each certificate authority in its chain`,
			);
		case "CRL_HAS_EXPIRED":
			return because(
				`cannot tell whether the certificate of ${at} is revoked: a list in tls.crl has expired`,
			);
		case "ECONNRESET":
			return error.message.includes("before secure TLS connection")
				? new Error(
						`${at} closed the connection during the TLS handshake: it is shutting down, does not speak TLS, or refused the client`,
						{ cause: error },
					)
				: error;
		default:
			return openSslReason(error) === undefined
				? error
				: because(`TLS with ${at} failed`);
	}
}

/** Returns "wrong version number" from "<thread>:error:0A00010B:SSL routines:<function>:wrong version number:<file>:77:". */
function openSslReason({ message }: Error): string | undefined {
	return /error:[0-9A-F]{8}:[^:]*:[^:]*:([^:]+):/.exec(message)?.[1];
}

/** The error message for a TLS server that did not choose HTTP/2 by ALPN (RFC 9113 section 3.2). */
export function noHttp2(at: string): string {
	return `${at} speaks TLS but does not offer HTTP/2 by ALPN ("h2"): is it an HTTP/1.1 server, or a proxy without HTTP/2?`;
}
