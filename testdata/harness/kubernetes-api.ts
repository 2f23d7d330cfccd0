/**
 * A small Kubernetes API server for EndpointSlices: it lists and watches them as "Kubernetes API Concepts" describes, and can
 * fail in various ways.
 */

import { once } from "node:events";
import {
	createServer,
	type IncomingMessage,
	type Server,
	type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Identity } from "../peers/node/certificates.ts";
import {
	type Fault,
	json,
	misbehave,
	refuse,
	status,
} from "./kubernetes-answers.ts";
import type { SliceObject } from "./slice-object.ts";

export interface ApiInit {
	/** The host. Default: 127.0.0.1. */
	readonly host?: string;
	/** The port. Default: a free port. */
	readonly port?: number;
	/** The certificate. If given, the server speaks TLS. */
	readonly identity?: Identity;
}

export interface SeenRequest {
	readonly kind: "list" | "watch" | "other";
	readonly query: URLSearchParams;
	readonly path: string;
	readonly authorization: string | undefined;
	readonly at: number;
}

interface Change {
	readonly type: "ADDED" | "MODIFIED" | "DELETED";
	readonly version: number;
	readonly object: SliceObject;
}

interface Watcher {
	readonly request: SeenRequest;
	readonly response: ServerResponse;
	readonly namespace: string;
}

const PATH =
	/^\/apis\/discovery\.k8s\.io\/v1\/namespaces\/([^/]+)\/endpointslices$/;

export class KubernetesApi implements AsyncDisposable {
	readonly requests: SeenRequest[] = [];
	/** The accepted tokens. Undefined accepts requests without a token. */
	tokens: readonly string[] | undefined;
	/** Failures of each kind of request, until they are removed. */
	readonly faults: { list?: Fault; watch?: Fault } = {};
	/** Whether a version that is too old is answered with a status instead of an ERROR event. */
	goneByStatus = false;
	/** Called with each request before it is answered. */
	onRequest: (request: SeenRequest) => void = () => {};
	readonly #init: ApiInit;
	readonly #slices = new Map<string, SliceObject>();
	readonly #watchers = new Set<Watcher>();
	readonly #snapshots = new Map<string, readonly SliceObject[]>();
	#changes: Change[] = [];
	#version = 1000;
	/** The oldest version from which a watch can continue. */
	#oldest = 0;
	#server: Server | undefined;
	#port: number;

	private constructor(init: ApiInit) {
		this.#init = init;
		this.#port = init.port ?? 0;
	}

	static async start(init: ApiInit = {}): Promise<KubernetesApi> {
		const api = new KubernetesApi(init);
		await api.restart();
		return api;
	}

	get origin(): string {
		const { identity, host = "127.0.0.1" } = this.#init;
		const name = host.includes(":") ? `[${host}]` : host;
		return `${identity === undefined ? "http" : "https"}://${name}:${this.#port}`;
	}

	get port(): number {
		return this.#port;
	}

	get version(): string {
		return String(this.#version);
	}

	/** The open watches. */
	get watching(): number {
		return this.#watchers.size;
	}

	/** The open connections. */
	connections(): Promise<number> {
		const { promise, resolve } = Promise.withResolvers<number>();
		if (this.#server === undefined) resolve(0);
		this.#server?.getConnections((_, count) => resolve(count));
		return promise;
	}

	seen(kind: SeenRequest["kind"]): readonly SeenRequest[] {
		return this.requests.filter((request) => request.kind === kind);
	}

	/** Listens, at the same address as before. */
	async restart(): Promise<void> {
		const { identity, host = "127.0.0.1" } = this.#init;
		const handler = (request: IncomingMessage, response: ServerResponse) => {
			response.on("error", () => {});
			this.#handle(request, response);
		};
		this.#server =
			identity === undefined
				? createServer(handler)
				: createTlsServer(
						{ cert: identity.certificate, key: identity.key },
						handler,
					);
		this.#server.listen(this.#port, host);
		await once(this.#server, "listening");
		this.#port = (this.#server.address() as AddressInfo).port;
	}

	/** Dies. Its objects survive, as in etcd. */
	async kill(): Promise<void> {
		const server = this.#server;
		if (server === undefined) return;
		this.#server = undefined;
		const closed = once(server, "close");
		server.close();
		server.closeAllConnections();
		await closed;
	}

	put(slice: SliceObject): void {
		const key = keyOf(slice.metadata);
		const type = this.#slices.has(key) ? "MODIFIED" : "ADDED";
		this.#version += 1;
		const metadata = { ...slice.metadata, resourceVersion: this.version };
		const object = { ...slice, metadata };
		this.#slices.set(key, object);
		this.#tell({ type, version: this.#version, object });
	}

	delete(name: string, namespace = "shop"): void {
		const key = keyOf({ name, namespace });
		const slice = this.#slices.get(key);
		if (slice === undefined) throw new Error(`there is no slice ${key}`);
		this.#slices.delete(key);
		this.#version += 1;
		// The last state of the object, with the version of its deletion.
		const metadata = { ...slice.metadata, resourceVersion: this.version };
		const object = { ...slice, metadata };
		this.#tell({ type: "DELETED", version: this.#version, object });
	}

	/** Changes another object, of which watches of these slices are not told. */
	moveOn(): void {
		this.#version += 1;
	}

	/** Sends a bookmark with the current version to all watches. */
	bookmark(): void {
		for (const watcher of this.#watchers) {
			if (watcher.request.query.get("allowWatchBookmarks") === "true") {
				this.#send(watcher, "BOOKMARK", {
					kind: "EndpointSlice",
					apiVersion: "discovery.k8s.io/v1",
					metadata: { resourceVersion: this.version },
				});
			}
		}
	}

	/** Forgets all earlier versions. */
	compact(): void {
		this.#changes = [];
		this.#oldest = this.#version;
		this.#snapshots.clear();
	}

	/** Ends all watches properly, as a timeout does. */
	endWatches(): void {
		for (const { response } of this.#watchers) response.end();
		this.#watchers.clear();
	}

	/** Sends a text in all watches as it is. `end` says whether to end the watches or to cut them off afterwards. */
	say(text: string, end?: "end" | "cut"): void {
		for (const { response } of this.#watchers) {
			response.write(text, () => {
				if (end === "end") response.end();
				if (end === "cut") response.destroy();
			});
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
	}

	#tell(change: Change): void {
		this.#changes.push(change);
		for (const watcher of this.#watchers) this.#forward(watcher, change);
	}

	#forward(watcher: Watcher, { type, object }: Change): void {
		if (matches(object, watcher)) this.#send(watcher, type, object);
	}

	#send({ response }: Watcher, type: string, object: object): void {
		response.write(`${JSON.stringify({ type, object })}\n`);
	}

	#handle(request: IncomingMessage, response: ServerResponse): void {
		const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
		const [, namespace] = PATH.exec(pathname) ?? [];
		const kind =
			namespace === undefined
				? "other"
				: searchParams.get("watch") === "true"
					? "watch"
					: "list";
		const seen: SeenRequest = {
			kind,
			query: searchParams,
			path: pathname,
			authorization: request.headers.authorization,
			at: performance.now(),
		};
		this.requests.push(seen);
		this.onRequest(seen);
		if (!this.#accepts(seen.authorization)) {
			refuse(response, 401, "Unauthorized", "Unauthorized");
		} else if (namespace === undefined || kind === "other") {
			refuse(response, 404, "NotFound", "the server could not find it");
		} else if (this.faults[kind] !== undefined) {
			misbehave(response, this.faults[kind]);
		} else if (kind === "list") {
			this.#list(namespace, searchParams, response);
		} else {
			this.#watch({ request: seen, response, namespace });
		}
	}

	#accepts(authorization: string | undefined): boolean {
		return (
			this.tokens === undefined ||
			this.tokens.some((token) => authorization === `Bearer ${token}`)
		);
	}

	#list(
		namespace: string,
		query: URLSearchParams,
		response: ServerResponse,
	): void {
		const limit = Number(query.get("limit") ?? 0);
		const token = query.get("continue");
		const [version = "", start = "0"] =
			token === null
				? [this.version]
				: Buffer.from(token, "base64url").toString().split(" ");
		const all =
			token === null
				? this.#matching(namespace, query)
				: this.#snapshots.get(version);
		if (all === undefined) {
			const message =
				"The provided continue parameter is too old to display a consistent list result.";
			refuse(response, 410, "Expired", message);
			return;
		}
		const from = Number(start);
		const items = all.slice(from, limit > 0 ? from + limit : undefined);
		const left = all.length - from - items.length;
		if (left > 0) this.#snapshots.set(version, all);
		const next = Buffer.from(`${version} ${from + items.length}`);
		json(response, 200, {
			kind: "EndpointSliceList",
			apiVersion: "discovery.k8s.io/v1",
			metadata: {
				resourceVersion: version,
				...(left > 0 && {
					continue: next.toString("base64url"),
					remainingItemCount: left,
				}),
			},
			items: items.length === 0 ? null : items,
		});
	}

	#matching(namespace: string, query: URLSearchParams): SliceObject[] {
		return [...this.#slices.values()]
			.filter((slice) => matches(slice, { namespace, request: { query } }))
			.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
	}

	#watch(watcher: Watcher): void {
		const { request, response } = watcher;
		const from = Number(request.query.get("resourceVersion"));
		const gone = status(
			410,
			"Expired",
			`too old resource version: ${from} (${this.#oldest})`,
		);
		if (from < this.#oldest && this.goneByStatus) {
			json(response, 410, gone);
			return;
		}
		response.writeHead(200, { "content-type": "application/json" });
		response.flushHeaders();
		if (from < this.#oldest) {
			this.#send(watcher, "ERROR", gone);
			response.end();
			return;
		}
		this.#watchers.add(watcher);
		response.once("close", () => this.#watchers.delete(watcher));
		for (const change of this.#changes) {
			if (change.version > from) this.#forward(watcher, change);
		}
	}
}

function keyOf({
	name,
	namespace,
}: {
	name: string;
	namespace: string;
}): string {
	return `${namespace}/${name}`;
}

/** Matches label selectors. Supports only equality. */
function matches(
	{ metadata }: SliceObject,
	{
		namespace,
		request,
	}: { namespace: string; request: { readonly query: URLSearchParams } },
): boolean {
	const selector = request.query.get("labelSelector") ?? "";
	return (
		metadata.namespace === namespace &&
		selector
			.split(",")
			.filter((term) => term !== "")
			.every((term) => {
				const [key = "", value] = term.split(/==?/);
				return metadata.labels[key] === value;
			})
	);
}
