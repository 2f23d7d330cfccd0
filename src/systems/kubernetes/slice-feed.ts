import { Backoff } from "../../client/backoff.ts";
import type { Clock } from "../../policy/clock.ts";
import { DiscoveryError } from "../discovery-error.ts";
import type { ApiAnswer, ApiRequest, HttpApi } from "../http-api.ts";
import {
	type Listed,
	readEvent,
	readList,
	type WatchEvent,
} from "./api-objects.ts";
import { Expired, statusError } from "./api-status.ts";
import type { Slice } from "./endpoint-slice.ts";

export interface FeedSetting {
	readonly api: HttpApi;
	readonly service: string;
	readonly namespace: string;
	/** With what the API is asked, for messages; undefined is none. */
	readonly token: string | undefined;
	readonly clock: Clock;
	readonly random: () => number;
	/** There is news in `slices`. */
	changed(): void;
	/** Takes an error that it survives. */
	report(error: Error): void;
}

/** Of one list, in objects: the API's own clients ask for as many. */
const PAGE = 500;
const MAX_PAGES = 1000;
const ANSWER_MS = 30_000;
/** From one watch to the next at least, however soon they end. */
const MIN_MS = 1000;
/** A watch that lasted so long has been a good one. */
const GOOD_MS = 5000;
/** As client-go has it. */
const MAX_BACKOFF_MS = 30_000;
/** How long a watch lasts: 5 to 10 minutes, as client-go has it. */
const WATCH_MS = 300_000;
/** A bookmark comes every minute, so that after two and a half nobody is there. */
const SILENCE_MS = 150_000;

/**
 * Keeps the EndpointSlices of a service as the API server has them: lists them,
 * and watches from the resource version of the list ("Kubernetes API Concepts":
 * efficient detection of changes). A watch that ends goes on where it was; when
 * that is too long ago for the server, they are listed again. Errors are survived
 * with what is there, and tried again after 1 s to 30 s.
 */
export class SliceFeed {
	readonly slices = new Map<string, Slice>();
	readonly #setting: FeedSetting;
	readonly #backoff: Backoff;
	readonly #end = new AbortController();
	readonly #reported = new Set<string>();
	#version: string | undefined;
	#listedAt = -Infinity;
	#endPause: () => void = () => {};

	constructor(setting: FeedSetting) {
		this.#setting = setting;
		this.#backoff = new Backoff(setting.random, MAX_BACKOFF_MS);
	}

	/** Resolves when the slices have been listed, and then keeps them up to date. Rejects with why they cannot be listed. */
	async start(): Promise<void> {
		await this.#list();
		void this.#follow();
	}

	/** A connection was lost: ends a wait for the next try. */
	hurry(): void {
		this.#endPause();
	}

	stop(): void {
		this.#end.abort(new Error("nobody watches any more"));
		this.#endPause();
		this.#setting.api.close();
	}

	async #follow(): Promise<void> {
		const { clock, changed, report } = this.#setting;
		const { signal } = this.#end;
		while (!signal.aborted) {
			const began = clock.now();
			let wait = 0;
			try {
				if (this.#version === undefined) {
					await this.#list();
					changed();
				}
				const news = await this.#watch(this.#version ?? "");
				if (news || clock.now() - began > GOOD_MS) this.#backoff.reset();
				else wait = this.#backoff.next();
			} catch (error) {
				if (signal.aborted) return;
				if (clock.now() - began > GOOD_MS) this.#backoff.reset();
				wait = this.#waitAfter(error as Error);
				if (!(error instanceof Expired)) report(error as Error);
			}
			await this.#sleep(began + MIN_MS - clock.now(), false);
			await this.#sleep(wait - MIN_MS, true);
		}
	}

	#waitAfter(error: Error): number {
		if (error instanceof Expired) {
			this.#version = undefined;
			const since = this.#setting.clock.now() - this.#listedAt;
			return since > MIN_MS ? 0 : this.#backoff.next();
		}
		// What makes no sense may have been a change that is missed now.
		if (error instanceof DiscoveryError && error.problem === "badAnswer") {
			this.#version = undefined;
		}
		return this.#backoff.next();
	}

	/** @param hurried whether `hurry` ends it */
	#sleep(ms: number, hurried: boolean): Promise<void> {
		const { clock } = this.#setting;
		const { signal } = this.#end;
		if (ms <= 0 || signal.aborted) return Promise.resolve();
		return new Promise((resolve) => {
			const timer = clock.afterIdle(ms, resolve);
			this.#endPause = () => {
				if (!hurried && !signal.aborted) return;
				clock.cancel(timer);
				resolve();
			};
		});
	}

	/** Reads all slices. A list that is too slow for its own snapshot is asked for again, in one piece. */
	async #list(): Promise<void> {
		let listed: Listed;
		try {
			listed = await this.#pages(PAGE);
		} catch (error) {
			if (!(error instanceof Expired)) throw error;
			listed = await this.#pages(undefined);
		}
		this.#version = listed.version;
		this.#listedAt = this.#setting.clock.now();
		this.slices.clear();
		for (const slice of listed.slices) this.#keep(slice);
	}

	async #pages(limit: number | undefined): Promise<Listed> {
		const slices: Slice[] = [];
		let next: string | undefined;
		for (let page = 0; page < MAX_PAGES; page++) {
			const request = this.#request({
				limit: limit?.toString(),
				continue: next,
			});
			const answer = await this.#asked(() => this.#setting.api.json(request));
			const list = this.#read(request, () => readList(answer.value));
			for (const slice of list.slices) slices.push(slice);
			if (list.next === undefined) return { slices, version: list.version };
			next = list.next;
		}
		throw this.#setting.api.badAnswer(
			this.#request({}),
			`more than ${MAX_PAGES} pages`,
		);
	}

	/** Resolves when the watch has ended in order, with whether there was news. */
	async #watch(version: string): Promise<boolean> {
		const { api, random } = this.#setting;
		const request = {
			...this.#request({
				watch: "true",
				allowWatchBookmarks: "true",
				resourceVersion: version,
				timeoutSeconds: String(Math.floor((WATCH_MS * (1 + random())) / 1000)),
			}),
			idleMs: SILENCE_MS,
		};
		const { lines } = await this.#asked(() => api.lines(request));
		let news = false;
		for await (const line of lines) {
			const event = this.#read(request, () => readEvent(line));
			if (event.kind === "error") throw this.#statusError(event.status);
			this.#apply(event);
			news = true;
		}
		return news;
	}

	#apply(event: Exclude<WatchEvent, { kind: "error" }>): void {
		this.#version = event.version;
		if (event.kind === "bookmark") return;
		if (event.kind === "deleted") this.slices.delete(event.name);
		else this.#keep(event.slice);
		this.#setting.changed();
	}

	#keep(slice: Slice): void {
		this.slices.set(slice.name, slice);
		for (const problem of slice.problems) {
			const text = `EndpointSlice ${slice.name} ${problem}`;
			if (this.#reported.has(text)) continue;
			this.#reported.add(text);
			this.#setting.report(new DiscoveryError("badAnswer", text));
		}
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
