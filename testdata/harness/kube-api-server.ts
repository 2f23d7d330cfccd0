/** A real Kubernetes API server on a real etcd, without controllers, nodes or kubelet. */

import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as streamText } from "node:stream/consumers";
import { HttpApi } from "../../src/systems/http-api.ts";
import { type Identity, makeIdentity } from "../peers/node/certificates.ts";
import { kubeApiServer } from "../peers/node/recipes.ts";
import { builtProgram, missing } from "./built-program.ts";
import { Daemon } from "./daemon.ts";
import { EtcdServer, etcdMissing } from "./etcd-server.ts";
import { freePort } from "./free-port.ts";

/** Why no API server can run here. Undefined if one can. */
export const kubeApiServerMissing: string | undefined =
	missing(kubeApiServer) ?? etcdMissing;

const ADMIN = "of-the-administrator";

export class KubeApiServer extends Daemon implements AsyncDisposable {
	readonly port: number;
	/** The authority of its certificate, in PEM. */
	readonly ca: string;
	readonly etcd: EtcdServer;
	readonly #directory: string;
	readonly #api: HttpApi;

	static async start(): Promise<KubeApiServer> {
		const etcd = await EtcdServer.start();
		const authority = makeIdentity({ commonName: "cluster authority" });
		const server = new KubeApiServer(
			builtProgram(kubeApiServer),
			await mkdtemp(join(tmpdir(), "homing-kube-api-")),
			await freePort(),
			authority.certificate,
			etcd,
		);
		try {
			await server.#writeFiles(authority);
			await server.start();
		} catch (error) {
			await server[Symbol.asyncDispose]();
			throw error;
		}
		return server;
	}

	private constructor(
		program: string,
		directory: string,
		port: number,
		ca: string,
		etcd: EtcdServer,
	) {
		const file = (name: string): string => join(directory, name);
		super({
			name: "kube-apiserver",
			program,
			args: [
				`--etcd-servers=http://${etcd.address}`,
				"--bind-address=127.0.0.1",
				`--secure-port=${port}`,
				`--tls-cert-file=${file("server.crt")}`,
				`--tls-private-key-file=${file("server.key")}`,
				`--token-auth-file=${file("tokens.csv")}`,
				`--service-account-key-file=${file("accounts.pub")}`,
				`--service-account-signing-key-file=${file("accounts.key")}`,
				"--service-account-issuer=https://kubernetes.default.svc",
				"--service-cluster-ip-range=10.96.0.0/16",
				"--authorization-mode=RBAC",
				"--endpoint-reconciler-type=none",
				"--watch-cache=true",
				"--external-hostname=127.0.0.1",
			],
			isReady: () => this.#isReady(),
		});
		this.#directory = directory;
		this.port = port;
		this.ca = ca;
		this.etcd = etcd;
		this.#api = new HttpApi({
			origin: this.origin,
			tls: { ca },
			headers: () => ({ authorization: `Bearer ${ADMIN}` }),
		});
	}

	get origin(): string {
		return `https://127.0.0.1:${this.port}`;
	}

	/** Sends a request as the administrator. Throws unless it succeeds. */
	async ask<T = unknown>(
		method: "GET" | "POST" | "PUT" | "DELETE",
		path: string,
		body?: object,
	): Promise<T> {
		const answer = await this.#api.json({
			method,
			path,
			body,
			timeoutMs: 30_000,
		});
		if (answer.status >= 300) {
			throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
		}
		return answer.value as T;
	}

	/** Creates the object in a YAML document, in its namespace. Throws unless that succeeds. */
	async create(yaml: string): Promise<void> {
		const [, version = "", kind = ""] =
			/^apiVersion: (\S+)\nkind: (\S+)$/m.exec(yaml) ?? [];
		const group = version.includes("/") ? `apis/${version}` : `api/${version}`;
		const outgoing = request(
			`${this.origin}/${group}/namespaces/shop/${kind.toLowerCase()}s`,
			{
				method: "POST",
				ca: this.ca,
				headers: {
					authorization: `Bearer ${ADMIN}`,
					"content-type": "application/yaml",
				},
			},
		).end(yaml);
		const [response] = (await once(outgoing, "response")) as [IncomingMessage];
		const text = await streamText(response);
		if (response.statusCode !== 201) throw new Error(`${kind}: ${text}`);
	}

	/** Makes a token of a service account, like those of pods. */
	async tokenOf(account: string): Promise<string> {
		const path = "/api/v1/namespaces/shop/serviceaccounts";
		await this.ask("POST", path, { metadata: { name: account } });
		const { status } = await this.ask<{ status: { token: string } }>(
			"POST",
			`${path}/${account}/token`,
			{ spec: { expirationSeconds: 3600 } },
		);
		return status.token;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#api.close();
		await this.kill();
		await this.etcd[Symbol.asyncDispose]();
		await rm(this.#directory, { recursive: true, force: true });
	}

	async #isReady(): Promise<boolean> {
		return this.#api.json({ path: "/readyz", timeoutMs: 5000 }).then(
			({ status }) => status === 200,
			// The answer "ok" is not JSON.
			({ problem }) => problem === "badAnswer",
		);
	}

	async #writeFiles(issuer: Identity): Promise<void> {
		const hosts = ["127.0.0.1", "localhost"];
		const server = makeIdentity({
			commonName: "kube-apiserver",
			hosts,
			issuer,
		});
		const { publicKey, privateKey } = generateKeyPairSync("rsa", {
			modulusLength: 2048,
		});
		const files = {
			"server.crt": server.certificate,
			"server.key": server.key,
			"accounts.pub": publicKey
				.export({ type: "spki", format: "pem" })
				.toString(),
			"accounts.key": privateKey
				.export({ type: "pkcs1", format: "pem" })
				.toString(),
			"tokens.csv": `${ADMIN},admin,admin,system:masters\n`,
		};
		await mkdir(this.#directory, { recursive: true });
		for (const [name, text] of Object.entries(files)) {
			await writeFile(join(this.#directory, name), text);
		}
	}
}
