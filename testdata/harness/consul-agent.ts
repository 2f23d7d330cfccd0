/** Real Consul agents that tests can start, stop, kill and start again. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Identity } from "../peers/node/certificates.ts";
import { consulAgent } from "../peers/node/recipes.ts";
import { builtProgram, missing } from "./built-program.ts";
import { Daemon } from "./daemon.ts";
import { freePort } from "./free-port.ts";

/** Why no agent can run here. Undefined if one can. */
export const consulMissing: string | undefined = missing(consulAgent);

export interface ConsulInit {
	/** Whether its data is kept on disk and survives the process. Default: no. */
	readonly keepsData?: boolean;
	/** Whether ACLs are on: requests need a token. The token `management` may do everything. */
	readonly acl?: boolean;
	/** Also serves HTTPS. With `clients`, clients need a certificate signed by that authority. */
	readonly tls?: { readonly identity: Identity; readonly clients?: Identity };
	/** The host on which HTTP listens. Default: 127.0.0.1. */
	readonly host?: "127.0.0.1" | "::1";
	/** Whether HTTP also listens on a Unix socket. */
	readonly socket?: boolean;
	/** Further configuration of the agent. */
	readonly config?: object;
}

/** The token that may do everything, if ACLs are on. */
const management = "6b1f4a7e-0000-4000-8000-000000000001";

export class ConsulAgent extends Daemon implements AsyncDisposable {
	/** The "host:port" of HTTP. */
	readonly address: string;
	/** The "127.0.0.1:port" of HTTPS. */
	readonly secureAddress: string;
	/** The path of the Unix socket. */
	readonly socket: string;
	readonly management: string = management;
	readonly #directory: string;
	readonly #init: ConsulInit;
	readonly #ports: Ports;

	static async start(init: ConsulInit = {}): Promise<ConsulAgent> {
		const program = builtProgram(consulAgent);
		const [directory, ports] = await Promise.all([
			mkdtemp(join(tmpdir(), "homing-consul-")),
			freePorts(init.host),
		]);
		const agent = new ConsulAgent(program, directory, init, ports);
		await writeFile(
			join(directory, "agent.json"),
			JSON.stringify(agent.#configuration()),
		);
		if (init.tls) await agent.#writeCertificates(init.tls);
		try {
			await agent.start();
		} catch (error) {
			await agent[Symbol.asyncDispose]();
			throw error;
		}
		return agent;
	}

	private constructor(
		program: string,
		directory: string,
		init: ConsulInit,
		ports: Ports,
	) {
		super({
			name: "the Consul agent",
			program,
			args: [
				...(init.keepsData ? [] : ["-dev"]),
				"-config-file",
				join(directory, "agent.json"),
			],
			isReady: () => this.#isReady(),
		});
		this.#directory = directory;
		this.#init = init;
		this.#ports = ports;
		const host = init.host === "::1" ? "[::1]" : "127.0.0.1";
		this.address = `${host}:${ports.http}`;
		this.secureAddress = `127.0.0.1:${ports.https}`;
		this.socket = join(directory, "http.sock");
	}

	/** Sends a request to its HTTP API, by default with the token that may do everything. Throws unless the status is 200. */
	async ask<T = unknown>(
		method: "GET" | "PUT" | "DELETE",
		path: string,
		body?: unknown,
	): Promise<T> {
		const response = await fetch(`http://${this.address}/v1/${path}`, {
			method,
			headers: this.#init.acl ? { "x-consul-token": management } : {},
			signal: AbortSignal.timeout(30_000),
			...(body !== undefined && {
				body: typeof body === "string" ? body : JSON.stringify(body),
			}),
		});
		const text = await response.text();
		if (!response.ok) {
			throw new Error(`${method} ${path}: ${response.status} ${text}`);
		}
		return (text === "" ? undefined : JSON.parse(text)) as T;
	}

	/** Registers a service with the HTTP API. */
	async register(service: ServiceDefinition): Promise<void> {
		await this.ask("PUT", "agent/service/register", service);
	}

	async deregister(id: string): Promise<void> {
		await this.ask("PUT", `agent/service/deregister/${encodeURIComponent(id)}`);
	}

	/** Makes a token with the permissions in the rules. */
	async token(rules: string): Promise<string> {
		const name = `policy-${crypto.randomUUID()}`;
		await this.ask("PUT", "acl/policy", { Name: name, Rules: rules });
		const { SecretID } = await this.ask<{ SecretID: string }>(
			"PUT",
			"acl/token",
			{ Policies: [{ Name: name }] },
		);
		return SecretID;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
		await rm(this.#directory, { recursive: true, force: true });
	}

	/** Whether the agent answers queries. */
	async #isReady(): Promise<boolean> {
		const passing = await this.ask<unknown[]>(
			"GET",
			"health/service/consul?passing",
		).catch(() => []);
		return passing.length > 0;
	}

	#configuration(): object {
		const { keepsData, acl, tls, host = "127.0.0.1", socket } = this.#init;
		const { http, https, server, serf } = this.#ports;
		const file = (name: string): string => join(this.#directory, name);
		return {
			...(keepsData && {
				data_dir: file("data"),
				bootstrap: true,
				server: true,
			}),
			bind_addr: "127.0.0.1",
			node_name: "test",
			log_level: "warn",
			disable_update_check: true,
			// Elects a leader as soon as it can.
			performance: { raft_multiplier: 1 },
			limits: { http_max_conns_per_client: 2000 },
			addresses: { http: socket ? `${host} unix://${this.socket}` : host },
			ports: {
				http,
				https: tls ? https : -1,
				server,
				serf_lan: serf,
				serf_wan: -1,
				dns: -1,
				grpc: -1,
				grpc_tls: -1,
			},
			connect: { enabled: false },
			...(acl && {
				acl: {
					enabled: true,
					default_policy: "deny",
					tokens: { initial_management: management, agent: management },
				},
			}),
			...(tls && {
				tls: {
					https: {
						cert_file: file("cert.pem"),
						key_file: file("key.pem"),
						...(tls.clients && {
							ca_file: file("clients.pem"),
							verify_incoming: true,
						}),
					},
				},
			}),
			...this.#init.config,
		};
	}

	async #writeCertificates({
		identity,
		clients,
	}: NonNullable<ConsulInit["tls"]>): Promise<void> {
		const files = {
			"cert.pem": identity.certificate,
			"key.pem": identity.key,
			"clients.pem": clients?.certificate ?? "",
		};
		for (const [name, text] of Object.entries(files)) {
			await writeFile(join(this.#directory, name), text);
		}
	}
}

/** A service in the agent's API (https://developer.hashicorp.com/consul/api-docs/agent/service). */
export interface ServiceDefinition {
	readonly ID?: string;
	readonly Name: string;
	readonly Address?: string;
	readonly Port?: number;
	readonly Tags?: readonly string[];
	readonly Meta?: Readonly<Record<string, string>>;
	readonly Weights?: { readonly Passing: number; readonly Warning: number };
	readonly Check?: object;
}

interface Ports {
	readonly http: number;
	readonly https: number;
	readonly server: number;
	readonly serf: number;
}

async function freePorts(host: string | undefined): Promise<Ports> {
	return {
		http: await freePort(host),
		https: await freePort(),
		server: await freePort(),
		serf: await freePort(),
	};
}
