/** For tests of calls with several attempts: scripted servers, and clients that record each attempt. */

import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { DescService } from "@bufbuild/protobuf";
import { type Code, ConnectError } from "@connectrpc/connect";
import type { Environment } from "../../src/client/channel/channel-setting.ts";
import type { ClientOptions } from "../../src/client/options/client-options.ts";
import type { ClientHooks } from "../../src/client/options/hooks.ts";
import type { Resolver } from "../../src/discovery/resolver.ts";
import type { RetryPolicy } from "../../src/policy/retry/retry-policy.ts";
import { type ClientInTime, clientInTime } from "./client-in-time.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import {
	answer,
	type RunningServer,
	refuse,
	type ServerInit,
	serveStreams,
} from "./http2-server.ts";

/** One attempt, as its server sees it. */
export interface SeenRequest {
	readonly headers: IncomingHttpHeaders;
	readonly stream: ServerHttp2Stream;
	/** The payloads of the messages that have arrived. Empty until the request is read. */
	readonly messages: readonly string[];
	/** Resolves when the request is complete. */
	readonly whole: Promise<void>;
	/** Resolves with the error code with which the client resets the stream. */
	readonly reset: Promise<number>;
	/** Reads the request. Until then, flow control stops the client. */
	read(): void;
	/** Resolves when this many messages have arrived. */
	received(count: number): Promise<void>;
}

export type Answer = (request: SeenRequest) => void;

export const fine: Answer = ({ stream }) => answer(stream);
export const busy: Answer = ({ stream }) => refuse(stream, 14, "busy");
export const broken: Answer = ({ stream }) => refuse(stream, 13, "broken");
export const silent: Answer = () => {};

/** Answers with UNAVAILABLE and a pushback. */
export function pushingBack(ms: string | string[]): Answer {
	return ({ stream }) =>
		refuse(stream, 14, "busy", { "grpc-retry-pushback-ms": ms });
}

/** Answers when the request is complete. */
export function wholly(then: Answer): Answer {
	return (request) => {
		request.read();
		void request.whole.then(() => then(request));
	};
}

export interface ScriptedServer extends RunningServer {
	readonly seen: readonly SeenRequest[];
	/** Resolves with the n-th request, counted from 1. */
	request(n: number): Promise<SeenRequest>;
}

/** A server that gives these answers in turn, and the last one to all further requests. */
export async function answering(
	answers: readonly Answer[],
	init?: ServerInit,
): Promise<ScriptedServer> {
	const seen: SeenRequest[] = [];
	let news = Promise.withResolvers<void>();
	const server = await serveStreams((stream, headers) => {
		const request = seenOf(stream, headers);
		const next = answers[Math.min(seen.length, answers.length - 1)];
		seen.push(request);
		next?.(request);
		news.resolve();
		news = Promise.withResolvers();
	}, init);
	return Object.assign(server, {
		seen,
		async request(n: number) {
			while (seen.length < n) await news.promise;
			return seen[n - 1] as SeenRequest;
		},
	});
}

function seenOf(
	stream: ServerHttp2Stream,
	headers: IncomingHttpHeaders,
): SeenRequest {
	const messages: string[] = [];
	const whole = Promise.withResolvers<void>();
	const reset = Promise.withResolvers<number>();
	let news = Promise.withResolvers<void>();
	let unread = Buffer.alloc(0);
	stream.on("close", () => {
		if (stream.rstCode !== 0) reset.resolve(stream.rstCode);
	});
	stream.on("end", () => {
		if (!stream.aborted) whole.resolve();
	});
	const take = (chunk: Buffer): void => {
		unread = Buffer.concat([unread, chunk]);
		while (unread.length >= 5 && unread.length >= 5 + unread.readUInt32BE(1)) {
			const end = 5 + unread.readUInt32BE(1);
			messages.push(unread.toString("latin1", 5, end));
			unread = unread.subarray(end);
		}
		news.resolve();
		news = Promise.withResolvers();
	};
	return {
		headers,
		stream,
		messages,
		whole: whole.promise,
		reset: reset.promise,
		read: () => void stream.on("data", take),
		async received(count) {
			while (messages.length < count) await news.promise;
		},
	};
}

interface AttemptStart {
	readonly number: number;
	/** When the attempt was sent, in milliseconds of the client's clock. */
	readonly at: number;
	readonly to: string;
	readonly hedge: boolean;
}

interface Decision {
	readonly kind: "scheduled" | "denied" | "transparent";
	readonly delayMs: number;
	readonly reason: string;
}

/** A client with a fake clock, and what its hooks have recorded. */
export interface AttemptingClient<T> extends ClientInTime<T> {
	readonly starts: readonly AttemptStart[];
	readonly ends: readonly { number: number; code: Code | undefined }[];
	readonly decisions: readonly Decision[];
	readonly calls: readonly { code: Code | undefined; attempts: number }[];
	/** The times at which attempts were sent. */
	readonly times: readonly number[];
	/** Resolves when the condition holds. It is checked at each hook. */
	until(condition: () => boolean): Promise<void>;
}

export interface Attempting extends Partial<Environment> {
	/** Whether the clock also stands still during backoffs. Otherwise it advances by their length. */
	readonly impatient?: boolean;
}

export function attempting<T extends object>(
	service: DescService,
	target: string | Resolver,
	options: ClientOptions = {},
	{ impatient = false, ...environment }: Attempting = {},
): AttemptingClient<T> {
	const clock = new FakeClock();
	const starts: AttemptStart[] = [];
	const ends: { number: number; code: Code | undefined }[] = [];
	const decisions: Decision[] = [];
	const calls: { code: Code | undefined; attempts: number }[] = [];
	let news = Promise.withResolvers<void>();
	const tell = (): void => {
		news.resolve();
		news = Promise.withResolvers();
	};
	const hooks: ClientHooks = {
		attemptStart(_call, { number, endpoint, hedge }) {
			const to = String(endpoint.address);
			starts.push({ number, at: clock.now(), to, hedge });
			tell();
		},
		attemptEnd(_call, { number, code }) {
			ends.push({ number, code });
			tell();
		},
		retry(_call, decision) {
			decisions.push(decision);
			if (decision.kind !== "denied" && !impatient) {
				void clock.advance(decision.delayMs);
			}
			tell();
		},
		callEnd(_call, { code, attempts }) {
			calls.push({ code, attempts });
			tell();
		},
	};
	return {
		...clientInTime<T>(
			service,
			target,
			{ ...options, hooks },
			clock,
			environment,
		),
		starts,
		ends,
		decisions,
		calls,
		get times() {
			return starts.map(({ at }) => at);
		},
		async until(condition) {
			while (!condition()) await news.promise;
			await settled();
		},
	};
}

/** A backoff of 100 ms, then twice as long each time, up to 300 ms. */
export const retryPolicy: RetryPolicy = {
	maxAttempts: 5,
	initialBackoff: "0.1s",
	maxBackoff: "0.3s",
	backoffMultiplier: 2,
	retryableStatusCodes: ["UNAVAILABLE"],
};

/** Returns the error with which a call ends. */
export async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
	const thrown = await call.then(
		() => new Error("the call went well"),
		(error: unknown) => error,
	);
	if (thrown instanceof ConnectError) return thrown;
	throw thrown;
}
