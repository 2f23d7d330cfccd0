/**
 * What a TLS error means for the one who has to mend it; an error that is not of TLS is returned as it is.
 *
 * @param at the address, for the message
 * @param name what the certificate had to be made out to
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
				`${at} and this side have no version of TLS in common: TLS 1.2 is the least, or what tls.minVersion says`,
			);
		case "ERR_TLS_CERT_ALTNAME_INVALID":
			return because(
				`the certificate of ${at} is not made out to "${name}": set \`authority\` or \`tls.servername\` to a name in it`,
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
			return because(`${at} turned away the client's certificate, tls.cert`);
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
				`the certificate of ${at} has been revoked, as tls.crl says`,
			);
		case "UNABLE_TO_GET_CRL":
			return because(
				`whether the certificate of ${at} has been revoked is not known: tls.crl needs a list of each authority in its chain`,
			);
		case "CRL_HAS_EXPIRED":
			return because(
				`whether the certificate of ${at} has been revoked is not known: a list in tls.crl is too old`,
			);
		case "ECONNRESET":
			return error.message.includes("before secure TLS connection")
				? new Error(
						`${at} closed the connection during the TLS handshake: it has ended, does not speak TLS, or turned the client away`,
						{ cause: error },
					)
				: error;
		default:
			return openSslReason(error) === undefined
				? error
				: because(`TLS with ${at} failed`);
	}
}

/** The words in "<thread>:error:0A00010B:SSL routines:<function>:wrong version number:<file>:77:". */
function openSslReason({ message }: Error): string | undefined {
	return /error:[0-9A-F]{8}:[^:]*:[^:]*:([^:]+):/.exec(message)?.[1];
}

/** Said of a TLS server that did not agree on HTTP/2 (RFC 9113 section 3.2). */
export function noHttp2(at: string): string {
	return `${at} speaks TLS but does not offer HTTP/2 by ALPN ("h2"): is it an HTTP/1.1 server, or a proxy without HTTP/2?`;
}
