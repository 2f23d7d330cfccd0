/** Real etcd clusters that tests can start, stop, kill and start again. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeIdentity } from "../peers/node/certificates.ts";
import { etcdServer } from "../peers/node/recipes.ts";
import { builtProgram, missing } from "./built-program.ts";
import {
	type EtcdInit,
	EtcdMember,
	type EtcdTls,
	flagsOf,
} from "./etcd-member.ts";
import { freePort } from "./free-port.ts";

/** Why etcd cannot run here. Undefined if it can. */
export const etcdMissing: string | undefined = missing(etcdServer);

/** A key in the JSON gateway. */
export interface StoredKey {
	readonly key: string;
	readonly value: string;
	/** The lease of the key, in decimal. "0" is none. */
	readonly lease: string;
}

/** A cluster, by default with one member. */
export class EtcdServer implements AsyncDisposable {
	readonly members: readonly EtcdMember[];
	/** Undefined without TLS. */
	readonly tls: EtcdTls | undefined;
	readonly #directory: string;
	#hasAuth = false;

	static async start(init: EtcdInit = {}): Promise<EtcdServer> {
		const program = builtProgram(etcdServer);
		const directory = await mkdtemp(join(tmpdir(), "homing-etcd-"));
		const tls = init.tls && (await writeCertificates(directory));
		const plans = await Promise.all(
			Array.from({ length: init.members ?? 1 }, async (_, index) => ({
				name: nameOf(index),
				directory: join(directory, nameOf(index)),
				client: await freePort(init.host),
				peer: await freePort(),
			})),
		);
		const members = plans.map(
			(plan) =>
				new EtcdMember(
					plan.client,
					init,
					tls,
					program,
					flagsOf(plan, plans, directory, init),
				),
		);
		const server = new EtcdServer(directory, members, tls);
		try {
			await server.startAll();
			if (init.auth) await server.enableAuth();
		} catch (error) {
			await server[Symbol.asyncDispose]();
			throw error;
		}
		return server;
	}

	private constructor(
		directory: string,
		members: readonly EtcdMember[],
		tls: EtcdTls | undefined,
	) {
		this.#directory = directory;
		this.members = members;
		this.tls = tls;
	}

	/** The "host:port" of each member. */
	get hosts(): string[] {
		return this.members.map(({ address }) => address);
	}

	/** The "host:port" of the first member. */
	get address(): string {
		return this.hosts[0] as string;
	}

	/** Starts all members that do not run. They keep their data. */
	async startAll(): Promise<void> {
		await Promise.all(this.members.map((member) => member.start()));
	}

	async killAll(): Promise<void> {
		await Promise.all(this.members.map((member) => member.kill()));
	}

	/** Stops the members (SIGSTOP): they accept connections, but answer nothing. */
	pauseAll(): void {
		for (const member of this.members) member.pause();
	}

	resumeAll(): void {
		for (const member of this.members) member.resume();
	}

	/** Kills all members, and starts them again without data, and therefore without users. */
	async startAnew(): Promise<void> {
		await this.killAll();
		for (const index of this.members.keys()) {
			const data = join(this.#directory, nameOf(index));
			await rm(data, { recursive: true, force: true });
		}
		this.#hasAuth = false;
		await this.startAll();
	}

	/** Sends a request to the JSON gateway of the first running member, as root if authentication is on. Throws unless the status is 200. */
	async ask<T = unknown>(path: string, body: object = {}): Promise<T> {
		const member = this.members.find(({ isRunning }) => isRunning);
		if (member === undefined) throw new Error("no member of etcd runs");
		// Log in each time, because a restarted member has forgotten all tokens.
		const token = this.#hasAuth ? await tokenOfRoot(member) : undefined;
		return member.ask<T>(path, body, token);
	}

	async put(key: string, value: string, lease = "0"): Promise<void> {
		await this.ask("kv/put", { key: base64(key), value: base64(value), lease });
	}

	/** Writes many keys, with 100 in a transaction. */
	async putAll(entries: Iterable<readonly [string, string]>): Promise<void> {
		const success = [...entries].map(([key, value]) => ({
			requestPut: { key: base64(key), value: base64(value) },
		}));
		for (let i = 0; i < success.length; i += 100) {
			await this.ask("kv/txn", { success: success.slice(i, i + 100) });
		}
	}

	/** How often the running members have handled this method since they were started, for any client. */
	async calls(method: "Range" | "Watch" | "LeaseGrant"): Promise<number> {
		const counts = await Promise.all(
			this.members
				.filter(({ isRunning }) => isRunning)
				.map((member) => member.calls(method)),
		);
		return counts.reduce((sum, count) => sum + count, 0);
	}

	async delete(key: string): Promise<void> {
		await this.ask("kv/deleterange", { key: base64(key) });
	}

	/** Returns the keys that begin with `prefix`. */
	async list(prefix: string): Promise<StoredKey[]> {
		const { kvs = [] } = await this.ask<{ kvs?: Partial<StoredKey>[] }>(
			"kv/range",
			rangeOf(prefix),
		);
		return kvs.map(({ key = "", value = "", lease = "0" }) => ({
			key: text(key),
			value: text(value),
			lease,
		}));
	}

	/** Returns the newest revision of the store. */
	async revision(): Promise<string> {
		const { header } = await this.ask<{ header: { revision: string } }>(
			"kv/range",
			{ key: base64("nothing") },
		);
		return header.revision;
	}

	/** Compacts the store up to the newest revision. */
	async compact(): Promise<void> {
		await this.ask("kv/compaction", {
			revision: await this.revision(),
			physical: true,
		});
	}

	/** Grants a lease, and returns its id in decimal. */
	async grant(seconds: number): Promise<string> {
		const { ID } = await this.ask<{ ID: string }>("lease/grant", {
			TTL: seconds,
		});
		return ID;
	}

	async revoke(lease: string): Promise<void> {
		await this.ask("lease/revoke", { ID: lease });
	}

	/** Returns the ids of all leases, in decimal. */
	async leases(): Promise<string[]> {
		const { leases = [] } = await this.ask<{ leases?: { ID: string }[] }>(
			"lease/leases",
		);
		return leases.map(({ ID }) => ID);
	}

	/** Adds a user with a permission for the keys that begin with `prefix`. */
	async addUser(
		name: string,
		password: string,
		permType: "READ" | "WRITE" | "READWRITE",
		prefix: string,
	): Promise<void> {
		await this.ask("auth/user/add", { name, password });
		await this.ask("auth/role/add", { name });
		await this.grantRole(name, permType, prefix);
		await this.ask("auth/user/grant", { user: name, role: name });
	}

	async grantRole(
		name: string,
		permType: "READ" | "WRITE" | "READWRITE",
		prefix: string,
	): Promise<void> {
		const perm = { permType, ...rangeOf(prefix) };
		await this.ask("auth/role/grant", { name, perm });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.killAll();
		await rm(this.#directory, { recursive: true, force: true });
	}

	/** Switches authentication on. The user `root` with the password `root` may do everything. */
	async enableAuth(): Promise<void> {
		await this.ask("auth/user/add", { name: "root", password: "root" });
		await this.ask("auth/role/add", { name: "root" });
		await this.ask("auth/user/grant", { user: "root", role: "root" });
		await this.ask("auth/enable");
		this.#hasAuth = true;
	}
}

async function tokenOfRoot(member: EtcdMember): Promise<string> {
	const root = { name: "root", password: "root" };
	const { token } = await member.ask<{ token: string }>(
		"auth/authenticate",
		root,
	);
	return token;
}

function nameOf(index: number): string {
	return `m${index}`;
}

async function writeCertificates(directory: string): Promise<EtcdTls> {
	const authority = makeIdentity({ commonName: "test authority" });
	const server = makeIdentity({
		commonName: "etcd",
		hosts: ["localhost", "127.0.0.1"],
		issuer: authority,
	});
	const client = makeIdentity({ commonName: "client", issuer: authority });
	await mkdir(directory, { recursive: true });
	await writeFile(join(directory, "ca.pem"), authority.certificate);
	await writeFile(join(directory, "cert.pem"), server.certificate);
	await writeFile(join(directory, "key.pem"), server.key);
	return {
		ca: authority.certificate,
		cert: client.certificate,
		key: client.key,
	};
}

/** The range of keys that begin with `prefix`, whose last character is ASCII. */
function rangeOf(prefix: string): { key: string; range_end: string } {
	const end = Buffer.from(prefix);
	end[end.length - 1] = (end.at(-1) ?? 0) + 1;
	return { key: base64(prefix), range_end: end.toString("base64") };
}

function base64(text: string): string {
	return Buffer.from(text).toString("base64");
}

function text(base64: string): string {
	return Buffer.from(base64, "base64").toString();
}
