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

export interface KubernetesOptions {
	/** The name of the Service. */
	service: string;
	/** Default: that of the pod that this process runs in. */
	namespace?: string | undefined;
	/**
	 * The port of the pods: its number (a Service's `targetPort`), or the name
	 * that the Service gives it. Default: the only one that the Service has.
	 */
	port?: number | string | undefined;
	/** "host:port", "https://host:port", or "http://host:port" as of `kubectl proxy`. Default: that of the cluster that this process runs in. */
	apiServer?: string | undefined;
	/** A bearer token; a function is asked for each request. */
	token?: string | (() => string | Promise<string>) | undefined;
	/** A file that has it, read for each request. Default: the pod's own. */
	tokenFile?: string | undefined;
	/** In PEM: the authority that issued the API server's certificate. */
	ca?: TlsOptions["ca"];
	/** A file that has it, read for each connection. Default: the pod's own. */
	caFile?: string | undefined;
	/** Further options of TLS: a client certificate, say. */
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
		`${shown(value)} is not the name of a Kubernetes object; names are of lower-case letters, digits and hyphens`,
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

/** Throws OptionError that names the bad option. */
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
			`would travel over plaintext to ${apiServer}; give an https: apiServer, or leave ${given} out, as kubectl proxy brings its own`,
		);
	}
}

function refuseBoth(
	options: KubernetesOptions,
	one: keyof KubernetesOptions,
	other: keyof KubernetesOptions,
): void {
	if (options[one] !== undefined && options[other] !== undefined) {
		throw new OptionError(other, `stands beside ${one}; remove one`);
	}
}

/** The URL of an API server, which is https where nothing else is said. */
export function apiServerOrigin(text: string, where: string): string {
	if (!text.includes("://")) {
		parseHostPort(text, where, 443);
		return parseOrigin(`https://${text}`, where).text;
	}
	return parseOrigin(text, where).text;
}
