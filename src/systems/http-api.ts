import {
	type Agent,
	type ClientRequest,
	type IncomingHttpHeaders,
	type IncomingMessage,
	request as startRequest,
} from "node:http";
import { formatDuration } from "../checks/duration.ts";
import { shown } from "../checks/option-error.ts";
import { unlessAborted } from "../client/endpoint/dial.ts";
import { type Clock, systemClock } from "../policy/clock.ts";
import { explainTls } from "../tls/tls-errors.ts";
import type { TlsOptions, TlsSource } from "../tls/tls-options.ts";
import { VERSION } from "../version.ts";
import { apiAgent } from "./api-agent.ts";
import { type ApiOrigin, parseOrigin } from "./api-origin.ts";
import { DiscoveryError } from "./discovery-error.ts";
import { Lines } from "./lines.ts";
import { RequestLimits } from "./request-limits.ts";

export interface HttpApiOptions {
	/** "http://host:port", "https://host:port" or "unix:/path". */
	readonly origin: string;
	/** What is there, for messages: "the Consul agent". */
	readonly role?: string | undefined;
	/** For https; a function is asked for each connection. */
	readonly tls?: TlsOptions | TlsSource | undefined;
	/** Asked for each request: tokens. */
	readonly headers?:
		| (() => Record<string, string> | Promise<Record<string, string>>)
		| undefined;
	readonly clock?: Clock | undefined;
}

export interface ApiRequest {
	/** Default GET. */
	readonly method?: string | undefined;
	/** Percent-encoded, beginning with a slash. */
	readonly path: string;
	readonly query?:
		| Readonly<Record<string, string | readonly string[] | undefined>>
		| undefined;
	/** Sent as JSON. */
	readonly body?: unknown;
	/** Until the whole answer is there; of lines, until its head is. */
	readonly timeoutMs: number;
	/** Ends the request at once, with its reason. */
	readonly signal?: AbortSignal | undefined;
	/** Of the answer, or of one of its lines. Default 64 MiB. */
	readonly maxBytes?: number | undefined;
}

export interface ApiAnswer {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	/** What the body says; undefined where it is empty or, of a status that is no success, no JSON. */
	readonly value: unknown;
	/** The body of a status that is no success. */
	readonly text: string;
}

export interface LinesAnswer extends ApiAnswer {
	/** The value of each line, as it comes; none of a status that is no success. Leaving the iteration ends the request. */
	readonly lines: AsyncIterable<unknown>;
}

const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Asks an HTTP API that speaks JSON. It judges no status: that is the caller's.
 * Neither its connections nor its timers keep a process alive.
 *
 * Everything rejects with a DiscoveryError: "unreachable" for connections that
 * fail and answers that do not come, "badAnswer" for those that are cut off, no
 * JSON or too large. Lines that are cut off are "unreachable". A GET or PUT that meets a kept connection which the peer
 * has just closed goes again, once.
 */
export class HttpApi {
	readonly #origin: ApiOrigin;
	readonly #role: string | undefined;
	readonly #headers: NonNullable<HttpApiOptions["headers"]>;
	readonly #clock: Clock;
	readonly #agent: Agent;
	readonly #closed = new AbortController();

	/** Throws OptionError for a bad origin. */
	constructor({ origin, role, tls = {}, headers, clock }: HttpApiOptions) {
		this.#origin = parseOrigin(origin, "origin");
		this.#role = role;
		this.#headers = headers ?? (() => ({}));
		this.#clock = clock ?? systemClock;
		this.#agent = apiAgent(
			this.#origin,
			typeof tls === "function" ? tls : () => tls,
		);
	}

	/** As errors name it. */
	get origin(): string {
		return this.#origin.text;
	}

	/** What is there, and where. */
	get name(): string {
		return this.#role === undefined
			? this.origin
			: `${this.#role} at ${this.origin}`;
	}

	/** An answer as a whole. */
	async json(request: ApiRequest): Promise<ApiAnswer> {
		const limits = this.#limits(request);
		try {
			limits.allow(request.timeoutMs, () => this.#late(request.timeoutMs));
			const response = await this.#respond(request, limits.signal);
			return await this.#whole(request, response, limits.signal);
		} finally {
			limits[Symbol.dispose]();
		}
	}

	/** An answer that is a JSON value a line, with no end in sight. After `idleMs` of silence it is cut off as unreachable. */
	async lines(
		request: ApiRequest & { readonly idleMs: number },
	): Promise<LinesAnswer> {
		const limits = this.#limits(request);
		try {
			limits.allow(request.timeoutMs, () => this.#late(request.timeoutMs));
			const response = await this.#respond(request, limits.signal);
			if (isSuccess(response)) {
				const { statusCode: status = 0, headers } = response;
				const lines = this.#lines(request, response, limits);
				return { status, headers, value: undefined, text: "", lines };
			}
			const answer = await this.#whole(request, response, limits.signal);
			limits[Symbol.dispose]();
			return { ...answer, lines: none() };
		} catch (error) {
			limits[Symbol.dispose]();
			throw error;
		}
	}

	/** An error of an answer that makes no sense, for callers who look inside. */
	badAnswer(
		{ method = "GET", path }: ApiRequest,
		what: string,
		cause?: unknown,
	): DiscoveryError {
		const text = `${this.name} answered ${method} ${path} with ${what}`;
		return new DiscoveryError("badAnswer", text, cause);
	}

	/** Ends what is under way; what is asked for later fails. */
	close(): void {
		this.#closed.abort(this.#unreachable("its client has been closed"));
		this.#agent.destroy();
	}

	#limits({ signal }: ApiRequest): RequestLimits {
		return new RequestLimits(this.#clock, [signal, this.#closed.signal]);
	}

	#unreachable(why: string, cause?: unknown): DiscoveryError {
		const text = `cannot reach ${this.name}: ${why}`;
		return new DiscoveryError("unreachable", text, cause);
	}

	#late(ms: number): DiscoveryError {
		return this.#unreachable(`no answer within ${formatDuration(ms)}`);
	}

	/** The head of an answer. Once the signal fires, the connection is gone. */
	async #respond(
		request: ApiRequest,
		signal: AbortSignal,
	): Promise<IncomingMessage> {
		signal.throwIfAborted();
		const headers = await unlessAborted(this.#headers(), signal);
		const first = this.#start(request, headers, signal);
		try {
			return await responseOf(first);
		} catch (error) {
			signal.throwIfAborted();
			if (!isStale(first, error)) throw this.#explained(request, error);
		}
		try {
			return await responseOf(this.#start(request, headers, signal));
		} catch (error) {
			signal.throwIfAborted();
			throw this.#explained(request, error);
		}
	}

	#start(
		{ method = "GET", path, query = {}, body }: ApiRequest,
		headers: Readonly<Record<string, string>>,
		signal: AbortSignal,
	): ClientRequest {
		const json = body === undefined ? undefined : JSON.stringify(body);
		const outgoing = startRequest({
			agent: this.#agent,
			method,
			path: `${this.#origin.prefix}${path}${queryText(query)}`,
			headers: {
				host: this.#origin.host,
				accept: "application/json",
				"accept-encoding": "identity",
				"user-agent": `homing/${VERSION}`,
				...(json !== undefined && {
					"content-type": "application/json",
					"content-length": Buffer.byteLength(json),
				}),
				...headers,
			},
		});
		const stop = (): void => {
			outgoing.destroy(signal.reason);
		};
		signal.addEventListener("abort", stop, { once: true });
		outgoing.once("close", () => signal.removeEventListener("abort", stop));
		outgoing.once("socket", (socket) => socket.unref());
		// Errors after the head concern the response, which tells of them itself.
		outgoing.on("error", () => {});
		outgoing.end(json);
		return outgoing;
	}

	#explained(request: ApiRequest, error: unknown): DiscoveryError {
		// What a certificate is not made out to, ERR_TLS_CERT_ALTNAME_INVALID has as its host.
		const failed = error as NodeJS.ErrnoException & { host?: string };
		if (failed.code?.startsWith("HPE_")) {
			return this.badAnswer(request, `no HTTP (${failed.message})`, error);
		}
		const name = failed.host ?? this.#origin.host;
		const cause = explainTls(joined(failed), this.origin, name);
		return this.#unreachable(cause.message, error);
	}

	async #whole(
		request: ApiRequest,
		response: IncomingMessage,
		signal: AbortSignal,
	): Promise<ApiAnswer> {
		const chunks: Buffer[] = [];
		let bytes = 0;
		const { maxBytes = MAX_BYTES } = request;
		const cut = (error: unknown): Error =>
			this.badAnswer(request, "a body that was cut off", error);
		for await (const chunk of this.#chunks(request, response, signal, cut)) {
			bytes += chunk.length;
			if (bytes > maxBytes) throw this.#tooLarge(request, maxBytes);
			chunks.push(chunk);
		}
		const text = Buffer.concat(chunks).toString();
		const { statusCode: status = 0, headers } = response;
		return isSuccess(response)
			? { status, headers, value: this.#parse(request, text), text: "" }
			: { status, headers, value: parsedIfJson(text), text };
	}

	async *#lines(
		request: ApiRequest & { readonly idleMs: number },
		response: IncomingMessage,
		limits: RequestLimits,
	): AsyncGenerator<unknown, void, undefined> {
		const { idleMs, maxBytes = MAX_BYTES } = request;
		const lines = new Lines(maxBytes, () => this.#tooLarge(request, maxBytes));
		const silent = (): Error =>
			this.#unreachable(`it has been silent for ${formatDuration(idleMs)}`);
		const cut = (error: unknown): Error =>
			this.#unreachable("the connection was lost", error);
		try {
			limits.allow(idleMs, silent);
			for await (const chunk of this.#chunks(
				request,
				response,
				limits.signal,
				cut,
			)) {
				for (const line of lines.add(chunk)) {
					if (line !== "") yield this.#parse(request, line);
				}
				limits.allow(idleMs, silent);
			}
			const rest = lines.rest();
			if (rest !== "") yield this.#parse(request, rest);
		} finally {
			limits[Symbol.dispose]();
		}
	}

	/** The body; ends the connection if nobody wants the rest. */
	async *#chunks(
		request: ApiRequest,
		response: IncomingMessage,
		signal: AbortSignal,
		cut: (error: unknown) => Error,
	): AsyncGenerator<Buffer, void, undefined> {
		const coding = response.headers["content-encoding"];
		if (coding !== undefined && coding !== "identity") {
			response.destroy();
			throw this.badAnswer(request, `${coding}, which was not asked for`);
		}
		try {
			yield* response as AsyncIterable<Buffer>;
		} catch (error) {
			signal.throwIfAborted();
			throw cut(error);
		}
	}

	#parse(request: ApiRequest, text: string): unknown {
		if (text === "") return undefined;
		try {
			return JSON.parse(text);
		} catch (error) {
			throw this.badAnswer(request, `no JSON: ${shown(text)}`, error);
		}
	}

	#tooLarge(request: ApiRequest, maxBytes: number): DiscoveryError {
		return this.badAnswer(request, `more than ${maxBytes} bytes`);
	}
}

/** What an answer that is no success says, short enough for a message. */
export function excerptOf({ value, text }: ApiAnswer): string {
	const { message } = Object(value) as { message?: unknown };
	const words = typeof message === "string" ? message : text;
	const line = words.replace(/\s+/g, " ").trim();
	return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}

function queryText(query: NonNullable<ApiRequest["query"]>): string {
	const parameters = new URLSearchParams();
	for (const [name, value] of Object.entries(query)) {
		for (const one of [value ?? []].flat()) parameters.append(name, one);
	}
	return parameters.size === 0 ? "" : `?${parameters}`;
}

function responseOf(outgoing: ClientRequest): Promise<IncomingMessage> {
	return new Promise((resolve, reject) => {
		outgoing.once("response", resolve).once("error", reject);
	});
}

/** The peer closed the connection before it saw the request, as servers do with those that were quiet for a while. */
function isStale(outgoing: ClientRequest, error: unknown): boolean {
	const { code } = error as NodeJS.ErrnoException;
	return (
		outgoing.reusedSocket &&
		(outgoing.method === "GET" || outgoing.method === "PUT") &&
		(code === "ECONNRESET" || code === "EPIPE")
	);
}

/** Node's error of several addresses has no words of its own. */
function joined(error: Error): Error {
	if (!(error instanceof AggregateError)) return error;
	return new Error(error.errors.map(({ message }) => message).join("; "), {
		cause: error,
	});
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
	return statusCode >= 200 && statusCode < 300;
}

function parsedIfJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

async function* none(): AsyncGenerator<never, void, undefined> {}
