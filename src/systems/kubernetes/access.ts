import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../../discovery/failure.ts";
import { bracketed } from "../../discovery/targets/host-port.ts";
import { type TlsSource, tlsOptions } from "../../tls/tls-options.ts";
import { DiscoveryError } from "../discovery-error.ts";
import { apiServerOrigin, type KubernetesOptions } from "./options.ts";

/** What Kubernetes gives to a pod, for tests to replace. */
export interface PodDependencies {
	/** Where the token, the authority and the namespace of its service account are. */
	readonly serviceAccount?: string | undefined;
	readonly environment?:
		| Readonly<Record<string, string | undefined>>
		| undefined;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The way to the API server: what the options say, and what they leave out as a
 * pod has it ("Accessing the Kubernetes API from a Pod"). The pod's own token goes
 * only to a server that the pod's own authority vouches for.
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

	/** Throws DiscoveryError outside a cluster. */
	origin(): string {
		const { apiServer } = this.#options;
		if (apiServer !== undefined) return apiServerOrigin(apiServer, "apiServer");
		const host = this.#environment["KUBERNETES_SERVICE_HOST"];
		const port = this.#environment["KUBERNETES_SERVICE_PORT"] ?? "443";
		if (host === undefined || host === "") {
			throw new DiscoveryError(
				"unreachable",
				`no API server to ask for service ${this.#options.service}: KUBERNETES_SERVICE_HOST is not set, so this process runs in no pod; give the API server, as in kubernetes://host:port/… or by the option apiServer`,
			);
		}
		return `https://${bracketed(host)}:${port}`;
	}

	/** Rejects with DiscoveryError outside a cluster. */
	async namespace(): Promise<string> {
		const { namespace, service } = this.#options;
		if (namespace !== undefined) return namespace;
		try {
			return (await readFile(this.#file("namespace"), "utf8")).trim();
		} catch (error) {
			throw new DiscoveryError(
				"unreachable",
				failure(
					`service ${service} needs a namespace, as in kubernetes:///${service}.default, as there is none of a pod's own`,
					error,
				).message,
				error,
			);
		}
	}

	/** Asked for each request: tokens are renewed long before they expire (an hour, by default). */
	readonly headers = async (): Promise<Record<string, string>> => {
		const token = await this.#token();
		return token === undefined ? {} : { authorization: `Bearer ${token}` };
	};

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

	/** Where the token comes from, for messages; undefined without one. */
	get tokenText(): string | undefined {
		if (this.#options.token !== undefined) return "the token that is given";
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

	/** Whether the API server has to show a certificate that the pod's own authority has issued. */
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
		throw failure("the authority of the API server cannot be read", error);
	}
}
