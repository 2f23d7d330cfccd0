import type { ServerHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { clientInTime } from "../../testdata/harness/client-in-time.ts";
import {
	answer,
	frame,
	type RunningServer,
	refuse,
	respond,
	serveStreams,
} from "../../testdata/harness/http2-server.ts";
import { EchoService } from "../../testdata/services/gen/echo/echo_pb.ts";
import type { EchoServiceClient } from "../../testdata/services/gen/echo/echo_rpc.ts";
import type { RetryPolicy } from "../policy/retry-policy.ts";
import type { ClientOptions } from "./client-options.ts";

const retryPolicy: RetryPolicy = {
	maxAttempts: 4,
	initialBackoff: "0.1s",
	maxBackoff: "1s",
	backoffMultiplier: 2,
	retryableStatusCodes: ["UNAVAILABLE"],
};

/** A server that gives its requests these answers in turn, the last one to all that follow. */
async function answering(
	...answers: ((stream: ServerHttp2Stream) => void)[]
): Promise<RunningServer & { seen: Record<string, unknown>[] }> {
	const seen: Record<string, unknown>[] = [];
	const server = await serveStreams((stream, headers) => {
		seen.push({ ...headers });
		const next = answers.length > 1 ? answers.shift() : answers[0];
		next?.(stream);
	});
	return Object.assign(server, { seen });
}

const busy = (stream: ServerHttp2Stream): void => refuse(stream, 14, "busy");
const fine = (stream: ServerHttp2Stream): void => answer(stream);

/** A client whose clock goes on by itself, in steps, until `call` has come out. */
async function outcome<T>(
	server: RunningServer,
	options: ClientOptions,
	call: (client: EchoServiceClient) => Promise<T>,
): Promise<{ value?: T; error?: ConnectError; tookMs: number }> {
	await using timed = clientInTime<EchoServiceClient>(
		EchoService,
		server.address,
		options,
	);
	const result: { value?: T; error?: ConnectError } = {};
	let done = false;
	call(timed.client)
		.then(
			(value) => {
				result.value = value;
			},
			(error) => {
				result.error = ConnectError.from(error);
			},
		)
		.finally(() => {
			done = true;
		});
	while (!done) {
		await new Promise((resolve) => setTimeout(resolve, 2));
		await timed.clock.advance(10);
	}
	return { ...result, tookMs: timed.clock.now() };
}

describe("a retry policy", () => {
	test("makes another attempt after a retryable code, and counts the earlier ones for the server", async () => {
		await using server = await answering(busy, busy, fine);
		const { value, error } = await outcome(server, { retryPolicy }, (client) =>
			client.echo({}),
		);
		expect(error).toBeUndefined();
		expect(value).toBeDefined();
		expect(
			server.seen.map((headers) => headers["grpc-previous-rpc-attempts"]),
		).toEqual([undefined, "1", "2"]);
	});

	test("gives up after maxAttempts, with the last failure", async () => {
		await using server = await answering(busy);
		const { error } = await outcome(server, { retryPolicy }, (client) =>
			client.echo({}),
		);
		expect(error?.code).toBe(Code.Unavailable);
		expect(error?.rawMessage).toBe("busy");
		expect(server.seen).toHaveLength(4);
	});

	test("ends with the response headers: the call is committed", async () => {
		await using server = await answering((stream) => {
			respond(stream);
			stream.write(frame());
			stream.once("wantTrailers", () =>
				stream.sendTrailers({ "grpc-status": 14 }),
			);
			stream.end();
		});
		const { error } = await outcome(server, { retryPolicy }, (client) =>
			client.echo({}),
		);
		expect(error?.code).toBe(Code.Unavailable);
		expect(server.seen).toHaveLength(1);
	});
});

describe("a hedging policy", () => {
	test("sends the next attempt after hedgingDelay, and takes the first good answer", async () => {
		await using server = await answering(() => {}, fine);
		const { value } = await outcome(
			server,
			{ hedgingPolicy: { maxAttempts: 3, hedgingDelay: "0.2s" } },
			(client) => client.echo({}),
		);
		expect(value).toBeDefined();
		expect(server.seen).toHaveLength(2);
	});
});

describe("a transparent retry", () => {
	test("takes a refused stream elsewhere, once, whatever the policy", async () => {
		const refused = (stream: ServerHttp2Stream): void => stream.close(7);
		await using once = await answering(refused, fine);
		expect(
			(await outcome(once, { retryPolicy: false }, (client) => client.echo({})))
				.error,
		).toBeUndefined();
		await using twice = await answering(refused);
		const { error } = await outcome(twice, {}, (client) => client.echo({}));
		expect(error?.code).toBe(Code.Unavailable);
		expect(twice.seen).toHaveLength(2);
	});
});
