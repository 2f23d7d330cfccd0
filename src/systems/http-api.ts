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
	/** What the API belongs to, for error messages: "the Consul agent". */
	readonly role?: string | undefined;
	/** The TLS options for https. A function is called for each connection. */
	readonly tls?: TlsOptions | TlsSource | undefined;
	/** Returns the headers of a request, such as a token. Called for each request. */
	readonly headers?:
		| (() => Record<string, string> | Promise<Record<string, string>>)
		| undefined;
	readonly clock?: Clock | undefined;
}

export interface ApiRequest {
	/** Default GET. */
	readonly method?: string | undefined;
	/** The path, percent-encoded, with a leading slash. */
	readonly path: string;
	readonly query?:
		| Readonly<Record<string, string | readonly string[] | undefined>>
		| undefined;
	/** The request's body, which is sent as JSON. */
	readonly body?: unknown;
	/** The limit for the whole answer; for an answer of lines, the limit until its head has arrived. */
	readonly timeoutMs: number;
	/** Cancels the request, which then rejects with the signal's reason. */
	readonly signal?: AbortSignal | undefined;
	/** The largest size of the answer, or of one of its lines. Default: 64 MiB. */
	readonly maxBytes?: number | undefined;
}

export interface ApiAnswer {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	/** The JSON value of the body. Undefined if the body is empty, or if an error status comes with a body that is not JSON. */
	readonly value: unknown;
	/** The text of the body if the status is an error; "" otherwise. */
	readonly text: string;
}

export interface LinesAnswer extends ApiAnswer {
	/** The JSON value of each line, as it arrives; empty if the status is an error. Leaving the iteration ends the request. */
	readonly lines: AsyncIterable<unknown>;
}

const MAX_BYTES = 64 * 1024 * 1024;

/**
 * A client of an HTTP API with JSON. It does not interpret the status; the caller
 * does. Neither its connections nor its timers keep the process alive.
 *
 * All methods reject with a DiscoveryError: "unreachable" if the connection fails
 * or the answer does not come in time, "badAnswer" if an answer is cut off, is
 * not JSON or is too large. An answer of lines that is cut off is "unreachable".
 * A GET or PUT on a kept connection that the peer has just closed is sent a
 * second time.
 */
export class HttpApi {
	readonly #origin: ApiOrigin;
	readonly #role: string | undefined;
	readonly #headers: NonNullable<HttpApiOptions["headers"]>;
	readonly #clock: Clock;
	readonly #agent: Agent;
	readonly #closed = new AbortController();

	/** @throws OptionError for an invalid origin */
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

	/** The origin, for error messages. */
	get origin(): string {
		return this.#origin.text;
	}

	/** The role and the origin, for error messages: "the Consul agent at http://127.0.0.1:8500". */
	get name(): string {
		return this.#role === undefined
			? this.origin
			: `${this.#role} at ${this.origin}`;
	}

	/** Sends a request and resolves with the whole answer. */
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

	/**
	 * Sends a request whose answer has a JSON value in each line, and may not end. Resolves when the head has arrived. The
	 * iteration of the lines fails as "unreachable" after `idleMs` of silence.
	 */
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

	/** Makes the error for an answer whose content the caller cannot use. */
	badAnswer(
		{ method = "GET", path }: ApiRequest,
		what: string,
		cause?: unknown,
	): DiscoveryError {
		const text = `${this.name} answered ${method} ${path} with ${what}`;
		return new DiscoveryError("badAnswer", text, cause);
	}

	/** Ends all requests. Later requests fail. */
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

	/** Sends a request, and resolves with the head of the answer. When the signal fires, the connection is closed. */
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
		// Errors after the head are reported by the response too.
		outgoing.on("error", () => {});
		outgoing.end(json);
		return outgoing;
	}

	#explained(request: ApiRequest, error: unknown): DiscoveryError {
		// ERR_TLS_CERT_ALTNAME_INVALID has the name that the certificate does not match as its `host`.
		const failed = error as NodeJS.ErrnoException & { host?: string };
		if (failed.code?.startsWith("HPE_")) {
			return this.badAnswer(
				request,
				`what is not HTTP (${failed.message})`,
				error,
			);
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
			this.#unreachable(`it has sent nothing for ${formatDuration(idleMs)}`);
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

	/** The chunks of the body. Leaving the iteration early closes the connection. */
	async *#chunks(
		request: ApiRequest,
		response: IncomingMessage,
		signal: AbortSignal,
		cut: (error: unknown) => Error,
	): AsyncGenerator<Buffer, void, undefined> {
		const coding = response.headers["content-encoding"];
		if (coding !== undefined && coding !== "identity") {
			response.destroy();
			throw this.badAnswer(
				request,
				`the content coding ${coding}, which was not requested`,
			);
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
			throw this.badAnswer(request, `what is not JSON: ${shown(text)}`, error);
		}
	}

	#tooLarge(request: ApiRequest, maxBytes: number): DiscoveryError {
		return this.badAnswer(request, `more than ${maxBytes} bytes`);
	}
}

/** Returns the text of an error answer on one line, short enough for an error message. */
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

/**
 * Whether a request failed because the peer had just closed the kept connection, as servers do with idle connections. The
 * peer has not seen such a request.
 */
function isStale(outgoing: ClientRequest, error: unknown): boolean {
	const { code } = error as NodeJS.ErrnoException;
	return (
		outgoing.reusedSocket &&
		(outgoing.method === "GET" || outgoing.method === "PUT") &&
		(code === "ECONNRESET" || code === "EPIPE")
	);
}

/** Joins the messages of an AggregateError. Node's error for several addresses has no message of its own. */
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
