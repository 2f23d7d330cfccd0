import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import {
	finish,
	frame,
	refuse,
	respond,
	serveStreams,
} from "../../../testdata/harness/http2-server.ts";
import { EchoService } from "../../../testdata/services/gen/echo/echo_pb.ts";
import { NewEchoServiceClient } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import type { ClientOptions } from "../options/client-options.ts";

type Serve = Parameters<typeof serveStreams>[0];

const after: (() => unknown)[] = [];
afterEach(async () => {
	for (const undo of after.splice(0).reverse()) await undo();
});

/** What is told of a call that fails, and that it has failed. */
async function heardOf(
	serve: Serve,
	options: ClientOptions,
	bounds: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<string[]> {
	const server = await serveStreams(serve);
	after.push(() => server[Symbol.asyncDispose]());
	const client = NewEchoServiceClient(server.address, options);
	after.push(() => client[Symbol.asyncDispose]());
	const heard: string[] = [];
	await client
		.echo(
			{},
			{
				...bounds,
				onHeader: (header) => heard.push(`header ${header.get("x-head")}`),
				onTrailer: (trailer) => heard.push(`trailer ${trailer.get("x-tail")}`),
			},
		)
		.catch((error: ConnectError) => heard.push(Code[error.code]));
	return heard;
}

describe.each<[string, ClientOptions]>([
	["", {}],
	[
		" behind an interceptor",
		{ interceptors: [(next) => (call) => next(call)] },
	],
])("a unary call that fails%s tells onHeader and onTrailer", (_, options) => {
	test.each<[string, Serve, string[]]>([
		[
			"what came with the status, in trailers",
			(stream) => {
				respond(stream, { "x-head": "1" });
				finish(stream, { "grpc-status": 9, "x-tail": "2" });
			},
			["header 1", "trailer 2", "FailedPrecondition"],
		],
		[
			"what came with the status, in trailers only",
			(stream) => refuse(stream, 9, "", { "x-head": "1", "x-tail": "2" }),
			["header null", "trailer 2", "FailedPrecondition"],
		],
		[
			"what came with an OK, and no message",
			(stream) => {
				respond(stream, { "x-head": "1" });
				finish(stream, { "grpc-status": 0, "x-tail": "2" });
			},
			["header 1", "trailer 2", "Unimplemented"],
		],
		[
			"the headers that came before a reset, and no trailers",
			(stream) => {
				respond(stream, { "x-head": "1" });
				stream.write(frame(), () => stream.close(2));
			},
			["header 1", "trailer null", "Internal"],
		],
	])("of %s", async (_, serve, heard) => {
		expect(await heardOf(serve, options)).toEqual(heard);
	});

	test("of no headers if the server has not answered", async () => {
		expect(await heardOf(() => {}, options, { timeoutMs: 20 })).toEqual([
			"trailer null",
			"DeadlineExceeded",
		]);
	});
});

test("a unary call that is cancelled after the headers have arrived passes them to onHeader", async () => {
	const cancel = new AbortController();
	const serve: Serve = (stream) => {
		respond(stream, { "x-head": "1" });
		// The answer to the PING shows that they have arrived.
		stream.session?.ping(() => cancel.abort());
	};
	const heard = await heardOf(serve, {}, { signal: cancel.signal });
	expect(heard).toEqual(["header 1", "trailer null", "Canceled"]);
});

test("a unary call that fails over a foreign Transport passes the metadata of its error to onTrailer", async () => {
	const transport = createRouterTransport(({ service }) => {
		service(EchoService, {
			echo: () => {
				throw new ConnectError("no", Code.NotFound, { "x-tail": "2" });
			},
		});
	});
	await using client = NewEchoServiceClient(transport);
	const heard: (string | null)[] = [];
	const call = client.echo(
		{},
		{ onTrailer: (trailer) => heard.push(trailer.get("x-tail")) },
	);
	await expect(call).rejects.toMatchObject({ code: Code.NotFound });
	expect(heard).toEqual(["2"]);
});
