import { Server } from "homing/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
	NewEchoServiceClient,
	RegisterEchoServiceServer,
} from "../../testdata/services/gen/echo/echo_rpc.ts";

describe("a user's callback that throws", () => {
	const uncaught: unknown[] = [];
	let before: NodeJS.UncaughtExceptionListener[];
	beforeEach(() => {
		uncaught.length = 0;
		before = process.listeners("uncaughtException");
		process.removeAllListeners("uncaughtException");
		process.on("uncaughtException", (error) => uncaught.push(error));
	});
	afterEach(() => {
		process.removeAllListeners("uncaughtException");
		for (const listener of before) process.on("uncaughtException", listener);
	});

	test("breaks no call, and is not swallowed: hooks", async () => {
		await using server = new Server();
		RegisterEchoServiceServer(server, { echo: ({ mes }) => ({ resp: mes }) });
		const { address } = await server.listen("127.0.0.1:0");
		const throwing = (): never => {
			throw new Error("a hook's own mistake");
		};
		await using echo = NewEchoServiceClient(address, {
			hooks: {
				callStart: throwing,
				callEnd: throwing,
				attemptStart: throwing,
				attemptEnd: throwing,
				resolved: throwing,
				endpointState: throwing,
			},
		});
		expect((await echo.echo({ mes: "here" })).resp).toBe("here");
		await new Promise(setImmediate);
		expect(uncaught.length).toBeGreaterThanOrEqual(7);
		expect(uncaught[0]).toEqual(new Error("a hook's own mistake"));
	});

	test("fails its call with INTERNAL: a picker", async () => {
		await using echo = NewEchoServiceClient("127.0.0.1:1", {
			balancer: (helper) => ({
				update: () =>
					helper.publish("ready", {
						pick: () => {
							throw new Error("no idea");
						},
					}),
				exitIdle: () => {},
				close: () => {},
			}),
		});
		await expect(echo.echo({ mes: "" })).rejects.toThrow(
			/\[internal\].*no idea/,
		);
	});
});
