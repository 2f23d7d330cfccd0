/** One member of an etcd cluster, as a process. */

import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { join } from "node:path";
import { Daemon } from "./daemon.ts";

/** The options of a cluster. */
export interface EtcdInit {
	/** The number of members. Default: 1. */
	readonly members?: 1 | 3;
	/** Whether it serves TLS. With "mutual", clients need a certificate. */
	readonly tls?: "server" | "mutual";
	/** Whether authentication is on. The user `root` with the password `root` may do everything. */
	readonly auth?: boolean;
	/** The host to which clients connect. Default: 127.0.0.1. */
	readonly host?: "127.0.0.1" | "::1";
	/** Further flags for the server. */
	readonly flags?: readonly string[];
}

/** The certificates that a client needs for TLS, in PEM. */
export interface EtcdTls {
	readonly ca: string;
	readonly cert: string;
	readonly key: string;
}

/** One member of a cluster. */
export class EtcdMember extends Daemon {
	/** The "host:port" for clients. */
	readonly address: string;
	readonly #port: number;
	readonly #init: EtcdInit;
	readonly #tls: EtcdTls | undefined;

	constructor(
		port: number,
		init: EtcdInit,
		tls: EtcdTls | undefined,
		program: string,
		args: readonly string[],
	) {
		super({ name: "etcd", program, args, isReady: () => this.#isHealthy() });
		this.#port = port;
		this.#init = init;
		this.#tls = tls;
		this.address = `${hostOf(init)}:${port}`;
	}

	/** Sends a request to its JSON gateway. Throws unless the status is 200. */
	async ask<T>(path: string, body: object, token?: string): Promise<T> {
		const { status, text } = await this.#request(
			"POST",
			`/v3/${path}`,
			JSON.stringify(body),
			token,
		);
		if (status !== 200) throw new Error(`POST ${path}: ${status} ${text}`);
		return JSON.parse(text) as T;
	}

	async calls(method: string): Promise<number> {
		const { text } = await this.#request("GET", "/metrics");
		const line = `^grpc_server_started_total\\{grpc_method="${method}",grpc_service="etcdserverpb.*\\} (\\d+)$`;
		return Number(new RegExp(line, "m").exec(text)?.[1]);
	}

	/** Whether the cluster has a leader that this member knows. */
	async #isHealthy(): Promise<boolean> {
		try {
			const { text } = await this.#request("GET", "/health");
			return JSON.parse(text).health === "true";
		} catch {
			return false;
		}
	}

	#request(
		method: string,
		path: string,
		body = "",
		token?: string,
	): Promise<{ status: number | undefined; text: string }> {
		const options = {
			host: this.#init.host ?? "127.0.0.1",
			port: this.#port,
			method,
			path,
			headers: { ...(token !== undefined && { authorization: token }) },
			timeout: 10_000,
			...this.#tls,
		};
		return new Promise((resolve, reject) => {
			const request = this.#tls ? requestHttps(options) : requestHttp(options);
			request.once("error", reject);
			request.once("timeout", () =>
				request.destroy(new Error(`${path}: no answer`)),
			);
			request.once("response", async (response) => {
				let text = "";
				response.setEncoding("utf8");
				response.on("data", (chunk) => {
					text += chunk;
				});
				response.once("error", reject);
				response.once("end", () =>
					resolve({ status: response.statusCode, text }),
				);
			});
			request.end(body);
		});
	}
}

/** The names and ports of a member. */
export interface MemberPlan {
	readonly name: string;
	readonly directory: string;
	readonly client: number;
	readonly peer: number;
}

/** Returns the flags of a member: https://etcd.io/docs/latest/op-guide/configuration/. */
export function flagsOf(
	plan: MemberPlan,
	all: readonly MemberPlan[],
	directory: string,
	init: EtcdInit,
): string[] {
	const peerOf = ({ peer }: MemberPlan): string => `http://127.0.0.1:${peer}`;
	const url = `${init.tls ? "https" : "http"}://${hostOf(init)}:${plan.client}`;
	const file = (name: string): string => join(directory, name);
	return [
		`--name=${plan.name}`,
		`--data-dir=${plan.directory}`,
		`--listen-client-urls=${url}`,
		`--advertise-client-urls=${url}`,
		`--listen-peer-urls=${peerOf(plan)}`,
		`--initial-advertise-peer-urls=${peerOf(plan)}`,
		`--initial-cluster=${all.map((one) => `${one.name}=${peerOf(one)}`).join(",")}`,
		"--log-level=error",
		// The lowest cost that bcrypt allows.
		"--bcrypt-cost=4",
		// What a killed process has written survives without fsync. Only a power loss would need it.
		"--unsafe-no-fsync",
		...(init.tls
			? [`--cert-file=${file("cert.pem")}`, `--key-file=${file("key.pem")}`]
			: []),
		...(init.tls === "mutual"
			? ["--client-cert-auth", `--trusted-ca-file=${file("ca.pem")}`]
			: []),
		...(init.flags ?? []),
	];
}

function hostOf({ host = "127.0.0.1" }: EtcdInit): string {
	return host === "::1" ? "[::1]" : host;
}
