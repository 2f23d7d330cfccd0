import { OptionError, shown } from "../../checks/option-error.ts";
import {
	anything,
	type Check,
	callable,
	checkOptions,
	either,
	integer,
	type OptionTable,
	text,
} from "../../checks/option-table.ts";
import { parseHostPort } from "../../discovery/targets/host-port.ts";
import { secureContext } from "../../tls/secure-context.ts";
import {
	type TlsOptions,
	type TlsSource,
	tlsOptions,
} from "../../tls/tls-options.ts";
import { parseOrigin } from "../api-origin.ts";

/** The options of `kubernetesResolver`. In a pod, `service` is enough. */
export interface KubernetesOptions {
	/** The name of the Service. */
	service: string;
	/** The namespace of the Service. Default: the namespace of the pod in which this process runs. */
	namespace?: string | undefined;
	/**
	 * The port of the pods: its number (the Service's `targetPort`), or the name
	 * that the Service gives it. Default: the only port of the Service.
	 */
	port?: number | string | undefined;
	/**
	 * The API server: "host:port", "https://host:port", or "http://host:port" for `kubectl proxy`. Default: the API server
	 * of the cluster in which this process runs.
	 */
	apiServer?: string | undefined;
	/** A bearer token. A function is called for each request. Default: the token in `tokenFile`. */
	token?: string | (() => string | Promise<string>) | undefined;
	/** A file with the token. It is read for each request. Default: the pod's own token. */
	tokenFile?: string | undefined;
	/** The certificate authority that issued the API server's certificate, in PEM. Default: the one in `caFile`. */
	ca?: TlsOptions["ca"];
	/** A file with the certificate authority. It is read for each connection. Default: the pod's own. */
	caFile?: string | undefined;
	/** Further TLS options, such as a client certificate. A function is called for each connection. Default: none. */
	tls?: TlsOptions | TlsSource | undefined;
}

const label: Check<string> = (value, where) => {
	if (
		typeof value === "string" &&
		/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value)
	) {
		return value;
	}
	throw new OptionError(
		where,
		`${shown(value)} is not the name of a Kubernetes object; names consist of lower-case letters, digits and hyphens`,
	);
};

const table: OptionTable<KubernetesOptions> = {
	service: { required: label },
	namespace: label,
	port: either<number | string>(
		"the number or the name of a port",
		integer(1, 65535),
		text,
	),
	apiServer: (value, where) => apiServerOrigin(text(value, where), where),
	token: either<unknown>(
		"a token, or a function that returns one",
		text,
		callable,
	),
	tokenFile: text,
	ca: anything,
	caFile: text,
	tls: either<unknown>("options of TLS", callable, tlsOptions),
};

/** Checks the options. Throws an OptionError that names the invalid option. */
export function checkKubernetesOptions(
	options: unknown,
): asserts options is KubernetesOptions {
	checkOptions(options, table);
	refuseBoth(options, "token", "tokenFile");
	refuseBoth(options, "ca", "caFile");
	const { ca, tls } = options;
	if (ca !== undefined) secureContext(tlsOptions({ ca }, ""), "");
	if (typeof tls === "object") secureContext(tls, "tls");
	const { apiServer, token, tokenFile } = options;
	const given = token === undefined ? "tokenFile" : "token";
	if (
		(token ?? tokenFile) !== undefined &&
		apiServer !== undefined &&
		apiServerOrigin(apiServer, "apiServer").startsWith("http:")
	) {
		throw new OptionError(
			given,
			`would be sent over plaintext to ${apiServer}; set an https: apiServer, or leave ${given} out, because kubectl proxy adds its own`,
		);
	}
}

function refuseBoth(
	options: KubernetesOptions,
	one: keyof KubernetesOptions,
	other: keyof KubernetesOptions,
): void {
	if (options[one] !== undefined && options[other] !== undefined) {
		throw new OptionError(
			other,
			`is given together with ${one}; remove one of them`,
		);
	}
}

/** Reads the URL of an API server. Without a scheme, it is https. */
export function apiServerOrigin(text: string, where: string): string {
	if (!text.includes("://")) {
		parseHostPort(text, where, 443);
		return parseOrigin(`https://${text}`, where).text;
	}
	return parseOrigin(text, where).text;
}
