import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../../discovery/failure.ts";
import { bracketed } from "../../discovery/targets/host-port.ts";
import { type TlsSource, tlsOptions } from "../../tls/tls-options.ts";
import { DiscoveryError } from "../discovery-error.ts";
import { apiServerOrigin, type KubernetesOptions } from "./options.ts";

/** What Kubernetes provides to a pod. Tests replace it. */
export interface PodDependencies {
	/** The directory with the token, the certificate authority and the namespace of the service account. */
	readonly serviceAccount?: string | undefined;
	readonly environment?:
		| Readonly<Record<string, string | undefined>>
		| undefined;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * How to reach the API server: by the options, and where these leave something
 * out, by what Kubernetes provides to a pod ("Accessing the Kubernetes API from a
 * Pod"). The pod's own token is sent only to a server whose certificate the pod's
 * own certificate authority has issued.
 */
export class Access {
	readonly #options: KubernetesOptions;
	readonly #directory: string;
	readonly #environment: NonNullable<PodDependencies["environment"]>;

	constructor(
		options: KubernetesOptions,
		{
			serviceAccount = SERVICE_ACCOUNT,
			environment = process.env,
		}: PodDependencies,
	) {
		this.#options = options;
		this.#directory = serviceAccount;
		this.#environment = environment;
	}

	/** The origin of the API server. Throws a DiscoveryError if the options have none and the program runs outside a cluster. */
	origin(): string {
		const { apiServer } = this.#options;
		if (apiServer !== undefined) return apiServerOrigin(apiServer, "apiServer");
		const host = this.#environment["KUBERNETES_SERVICE_HOST"];
		const port = this.#environment["KUBERNETES_SERVICE_PORT"] ?? "443";
		if (host === undefined || host === "") {
			throw new DiscoveryError(
				"unreachable",
				`no API server is known for service ${this.#options.service}: KUBERNETES_SERVICE_HOST is not set, so this process does not run in a pod; set the API server, as in kubernetes://host:port/… or by the option apiServer`,
			);
		}
		return `https://${bracketed(host)}:${port}`;
	}

	/** The namespace. Rejects with a DiscoveryError if the options have none and the program runs outside a cluster. */
	async namespace(): Promise<string> {
		const { namespace, service } = this.#options;
		if (namespace !== undefined) return namespace;
		try {
			return (await readFile(this.#file("namespace"), "utf8")).trim();
		} catch (error) {
			throw new DiscoveryError(
				"unreachable",
				failure(
					`service ${service} needs a namespace, as in kubernetes:///${service}.default, because that of the pod cannot be read`,
					error,
				).message,
				error,
			);
		}
	}

	/** The headers of a request. Called for each request, because Kubernetes renews the token before it expires (by default, after an hour). */
	readonly headers = async (): Promise<Record<string, string>> => {
		const token = await this.#token();
		return token === undefined ? {} : { authorization: `Bearer ${token}` };
	};

	/** The TLS options of a connection. */
	readonly tls: TlsSource = async (address) => {
		const { tls = {}, ca, caFile } = this.#options;
		const given =
			typeof tls === "function" ? tlsOptions(await tls(address), "tls()") : tls;
		if (ca !== undefined) return { ...given, ca };
		const own = given.ca === undefined ? this.#ownFile("ca.crt") : undefined;
		const file = caFile ?? own;
		return file === undefined
			? given
			: { ...given, ca: await readAuthority(file) };
	};

	/** Describes the token for error messages; undefined without a token. */
	get tokenText(): string | undefined {
		if (this.#options.token !== undefined) return "the token of the options";
		const file = this.#tokenFile;
		return file === undefined ? undefined : `the token in ${file}`;
	}

	async #token(): Promise<string | undefined> {
		const { token } = this.#options;
		if (typeof token === "function") return await token();
		if (token !== undefined) return token;
		const file = this.#tokenFile;
		if (file === undefined) return undefined;
		try {
			return (await readFile(file, "utf8")).trim();
		} catch (error) {
			throw new DiscoveryError(
				"forbidden",
				failure("the token for the API server cannot be read", error).message,
				error,
			);
		}
	}

	get #tokenFile(): string | undefined {
		const { tokenFile } = this.#options;
		if (tokenFile !== undefined) return tokenFile;
		return this.#trustsOwnAuthority ? this.#ownFile("token") : undefined;
	}

	/** Whether the API server's certificate must be issued by the pod's own certificate authority. */
	get #trustsOwnAuthority(): boolean {
		const { ca, caFile, tls = {} } = this.#options;
		return (
			(ca ?? caFile) === undefined &&
			typeof tls !== "function" &&
			tls.ca === undefined &&
			tls.rejectUnauthorized !== false &&
			this.origin().startsWith("https:") &&
			this.#ownFile("ca.crt") !== undefined
		);
	}

	#ownFile(name: string): string | undefined {
		const file = this.#file(name);
		return existsSync(file) ? file : undefined;
	}

	#file(name: string): string {
		return join(this.#directory, name);
	}
}

async function readAuthority(file: string): Promise<Buffer> {
	try {
		return await readFile(file);
	} catch (error) {
		throw failure(
			"the certificate authority of the API server cannot be read",
			error,
		);
	}
}
