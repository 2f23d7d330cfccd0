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
	/** With what the API is asked, for messages; undefined is none. */
	readonly token: string | undefined;
	readonly random: () => number;
}

/** Of one list, in objects: the API's own clients ask for as many. */
const PAGE = 500;
const MAX_PAGES = 1000;
const ANSWER_MS = 30_000;
/** How long a watch lasts: 5 to 10 minutes, as client-go has it. */
const WATCH_S = 300;
/** A bookmark comes every minute, so that after two and a half nobody is there. */
const SILENCE_MS = 150_000;

/**
 * Asks for the EndpointSlices of one service ("Kubernetes API Concepts": efficient
 * detection of changes; retrieving large results sets in chunks). Rejects with
 * DiscoveryError, or with Expired for a version that is too long ago.
 */
export class SliceApi {
	readonly #setting: SliceApiSetting;
	readonly #end = new AbortController();

	constructor(setting: SliceApiSetting) {
		this.#setting = setting;
	}

	/** All there are. A list that is too slow for its own snapshot is asked for again, in one piece. */
	async list(): Promise<Omit<Listed, "next">> {
		try {
			return await this.#pages(PAGE);
		} catch (error) {
			if (!(error instanceof Expired)) throw error;
			return await this.#pages(undefined);
		}
	}

	/** What has changed since a version, as it comes; ends when the server likes to. */
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
		const { lines } = await this.#asked(() => api.lines(request));
		for await (const line of lines) {
			const event = this.#read(request, () => readEvent(line));
			if (event.kind === "error") throw this.#statusError(event.status);
			yield event;
		}
	}

	/** Ends what is under way. */
	close(): void {
		this.#end.abort(new Error("nobody asks any more"));
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
			const answer = await this.#asked(() => api.json(request));
			const list = this.#read(request, () => readList(answer.value));
			for (const slice of list.slices) slices.push(slice);
			if (list.next === undefined) return { slices, version: list.version };
			next = list.next;
		}
		const all = this.#request({});
		throw api.badAnswer(all, `more than ${MAX_PAGES} pages`);
	}

	/** Asks; once more if the token was just renewed. */
	async #asked<Answer extends ApiAnswer>(
		ask: () => Promise<Answer>,
	): Promise<Answer> {
		let answer = await ask();
		if (answer.status === 401) answer = await ask();
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
			const what = `what is no EndpointSlices: ${(error as Error).message}`;
			throw this.#setting.api.badAnswer(request, what, error);
		}
	}
}
