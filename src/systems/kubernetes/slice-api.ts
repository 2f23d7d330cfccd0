import type { ApiAnswer, ApiRequest, HttpApi } from "../http-api.ts";
import {
	type Listed,
	readEvent,
	readList,
	type WatchEvent,
} from "./api-objects.ts";
import { Expired, statusError } from "./api-status.ts";
import type { Slice } from "./endpoint-slice.ts";

export interface SliceApiSetting {
	readonly api: HttpApi;
	readonly service: string;
	readonly namespace: string;
	/** Describes the token for error messages; undefined without a token. */
	readonly token: string | undefined;
	readonly random: () => number;
}

/** The objects in one page of a list, as many as in Kubernetes' own clients. */
const PAGE = 500;
const MAX_PAGES = 1000;
const ANSWER_MS = 30_000;
/** The least duration of a watch. The duration is random, from 5 to 10 minutes, as in client-go. */
const WATCH_S = 300;
/** The silence after which a watch counts as broken. The API server sends a bookmark every minute. */
const SILENCE_MS = 150_000;

/**
 * Lists and watches the EndpointSlices of one service ("Kubernetes API Concepts":
 * "Efficient detection of changes", "Retrieving large results sets in chunks").
 * Rejects with a DiscoveryError, or with Expired if the API server no longer holds
 * the resource version.
 */
export class SliceApi {
	readonly #setting: SliceApiSetting;
	readonly #end = new AbortController();

	constructor(setting: SliceApiSetting) {
		this.#setting = setting;
	}

	/** Lists all slices, in pages. If the snapshot expires before the last page, lists them again in one piece. */
	async list(): Promise<Omit<Listed, "next">> {
		try {
			return await this.#pages(PAGE);
		} catch (error) {
			if (!(error instanceof Expired)) throw error;
			return await this.#pages(undefined);
		}
	}

	/** Yields the changes since a version as they happen. Ends when the server ends the watch. */
	async *watch(
		version: string,
	): AsyncGenerator<Exclude<WatchEvent, { kind: "error" }>, void, undefined> {
		const { api, random } = this.#setting;
		const request = {
			...this.#request({
				watch: "true",
				allowWatchBookmarks: "true",
				resourceVersion: version,
				timeoutSeconds: String(Math.floor(WATCH_S * (1 + random()))),
			}),
			idleMs: SILENCE_MS,
		};
		const { lines } = await this.#answered(() => api.lines(request));
		for await (const line of lines) {
			const event = this.#read(request, () => readEvent(line));
			if (event.kind === "error") throw this.#statusError(event.status);
			yield event;
		}
	}

	/** Ends all requests. */
	close(): void {
		this.#end.abort(new Error("the watch of the service has ended"));
		this.#setting.api.close();
	}

	async #pages(limit: number | undefined): Promise<Listed> {
		const { api } = this.#setting;
		const slices: Slice[] = [];
		let next: string | undefined;
		for (let page = 0; page < MAX_PAGES; page++) {
			const request = this.#request({
				limit: limit?.toString(),
				continue: next,
			});
			const answer = await this.#answered(() => api.json(request));
			const list = this.#read(request, () => readList(answer.value));
			for (const slice of list.slices) slices.push(slice);
			if (list.next === undefined) return { slices, version: list.version };
			next = list.next;
		}
		const all = this.#request({});
		throw api.badAnswer(all, `more than ${MAX_PAGES} pages`);
	}

	/** Sends a request, and sends it once more if the token was refused, because it may just have been renewed. */
	async #answered<Answer extends ApiAnswer>(
		send: () => Promise<Answer>,
	): Promise<Answer> {
		let answer = await send();
		if (answer.status === 401) answer = await send();
		if (answer.status !== 200) throw this.#statusError(answer);
		return answer;
	}

	#statusError(answer: ApiAnswer): Error {
		const { api, namespace, token } = this.#setting;
		return statusError(answer, { api: api.name, namespace, token });
	}

	#request(query: NonNullable<ApiRequest["query"]>): ApiRequest {
		const { namespace, service } = this.#setting;
		return {
			path: `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices`,
			query: {
				labelSelector: `kubernetes.io/service-name=${service}`,
				...query,
			},
			timeoutMs: ANSWER_MS,
			signal: this.#end.signal,
		};
	}

	#read<T>(request: ApiRequest, read: () => T): T {
		try {
			return read();
		} catch (error) {
			const what = `what are not EndpointSlices: ${(error as Error).message}`;
			throw this.#setting.api.badAnswer(request, what, error);
		}
	}
}
