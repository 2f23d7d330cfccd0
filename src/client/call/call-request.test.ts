import { Code, ConnectError } from "@connectrpc/connect";
import { Server } from "homing/server";
import { describe, expect, test } from "vitest";
import { framed, RawClient } from "../../../testdata/harness/raw-client.ts";
import type { EchoServiceServer } from "../../../testdata/services/gen/echo/echo_rpc.ts";
import {
	NewEchoServiceClient,
	RegisterEchoServiceServer,
} from "../../../testdata/services/gen/echo/echo_rpc.ts";

const never = new Promise<never>(() => {});

async function echoServer(
	echo: EchoServiceServer["echo"],
): Promise<AsyncDisposable & { address: string; server: Server }> {
	const server = new Server();
	RegisterEchoServiceServer(server, { echo });
	const { address } = await server.listen("127.0.0.1:0");
	return {
		address,
		server,
		[Symbol.asyncDispose]: () => server.shutdown({ graceMs: 0 }),
	};
}

async function failure(call: Promise<unknown>): Promise<ConnectError> {
	const error = await call.then(
		() => undefined,
		(error: unknown) => error,
	);
	expect(error).toBeInstanceOf(ConnectError);
	return error as ConnectError;
}

describe("calls inside a handler", () => {
	test("inherit what is left of its deadline", async () => {
		const left: (number | undefined)[] = [];
		await using back = await echoServer((_request, context) => {
			left.push(context.timeoutMs());
			return {};
		});
		await using inner = NewEchoServiceClient(back.address);
		await using front = await echoServer(async () => {
			await inner.echo({});
			await inner.echo({}, { timeoutMs: 60_000 });
			await inner.echo({}, { parent: false });
			return {};
		});
		await using echo = NewEchoServiceClient(front.address);
		await echo.echo({}, { timeoutMs: 5000 });
		const [inherited = 0, cut = 0, free = 0] = left;
		expect(inherited).toBeGreaterThan(3000);
		expect(inherited).toBeLessThanOrEqual(5000);
		expect(cut).toBeLessThanOrEqual(inherited);
		expect(free).toBeGreaterThan(5000);
	});

	test("say that the deadline was inherited", async () => {
		const message = Promise.withResolvers<string>();
		await using back = await echoServer(() => never);
		await using inner = NewEchoServiceClient(back.address);
		await using front = await echoServer(async () => {
			message.resolve((await failure(inner.echo({}))).rawMessage);
			return {};
		});
		// A client of homing's would reset the call at about the same time.
		await using caller = new RawClient(front.address);
		const call = caller.open("/echo.EchoService/Echo", {
			"grpc-timeout": "80m",
		});
		call.stream.end(framed(new Uint8Array()));
		expect(await message.promise).toMatch(/^the inherited deadline of \d+/);
	});

	test("are cancelled when it is, but not when it ends well", async () => {
		const started = {
			background: Promise.withResolvers<void>(),
			foreground: Promise.withResolvers<void>(),
		};
		const codes = Promise.withResolvers<Code>();
		const release = Promise.withResolvers<void>();
		let background: Promise<unknown> = never;
		await using back = await echoServer(async ({ mes }) => {
			started[mes as "background"].resolve();
			await (mes === "background" ? release.promise : never);
			return { resp: mes };
		});
		await using inner = NewEchoServiceClient(back.address);
		await using front = await echoServer(async ({ mes }) => {
			const call = inner.echo({ mes });
			if (mes === "background") {
				background = call;
				await started.background.promise;
				return {};
			}
			codes.resolve((await failure(call)).code);
			return {};
		});
		await using echo = NewEchoServiceClient(front.address);
		await echo.echo({ mes: "background" });
		release.resolve();
		expect(await background).toMatchObject({ resp: "background" });

		const controller = new AbortController();
		const call = failure(
			echo.echo({ mes: "foreground" }, { signal: controller.signal }),
		);
		await started.foreground.promise;
		controller.abort();
		expect((await call).code).toBe(Code.Canceled);
		expect(await codes.promise).toBe(Code.Canceled);
	});
});
