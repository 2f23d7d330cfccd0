import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server as NetServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RawClient } from "../../../testdata/harness/raw-client.ts";
import { getOrder, text } from "../../../testdata/harness/serving.ts";
import { OrderManagement } from "../../../testdata/services/gen/ecommerce/order_management_pb.ts";
import { Server } from "../server.ts";

const hasIPv6 = Object.values(networkInterfaces())
	.flat()
	.some((found) => found?.address === "::1");

let server: Server;
let directory: string;

beforeEach(() => {
	server = new Server().add(OrderManagement, { getOrder: () => ({}) });
	directory = mkdtempSync(join(tmpdir(), "homing-"));
});

afterEach(async () => {
	await server.shutdown({ graceMs: 0 });
	rmSync(directory, { recursive: true });
});

/** Whether a call to the address succeeds. */
async function answers(address: string): Promise<boolean> {
	await using client = new RawClient(address);
	const call = client.open(getOrder).send(text("a")).end();
	return (await call.outcome).status === 0;
}

describe("Server.listen", () => {
	test("with port 0 takes a free port and returns it", async () => {
		const { address, port } = await server.listen("127.0.0.1:0");
		expect(port).toBeGreaterThan(0);
		expect(address).toBe(`127.0.0.1:${port}`);
		expect(await answers(address)).toBe(true);
	});

	test.skipIf(!hasIPv6)("on [::] accepts IPv6 and IPv4", async () => {
		const { address, port } = await server.listen("[::]:0");
		expect(address).toBe(`[::]:${port}`);
		expect(await answers(`[::1]:${port}`)).toBe(true);
		expect(await answers(`127.0.0.1:${port}`)).toBe(true);
	});

	test("on a name listens on all of its addresses, with the same port", async () => {
		const { address, port } = await server.listen("localhost:0");
		expect(address).toBe(`localhost:${port}`);
		expect(await answers(`127.0.0.1:${port}`)).toBe(true);
		await expect(server.listen(address)).rejects.toThrow("in use");
	});

	test.each<[unknown, string]>([
		[
			50051,
			'listen address 50051: write host and port as text: "127.0.0.1:50051" for this machine alone, "[::]:50051" for all who can reach it',
		],
		["50051", '"127.0.0.1:50051" for this machine alone'],
		[":50051", '"127.0.0.1:50051" for this machine alone'],
		[
			{ port: 50051 },
			'listen address an object: write host and port as text: "127.0.0.1:50051" for',
		],
		[
			{ port: 50051, host: "::1" },
			'write host and port as text: "[::1]:50051"',
		],
		[undefined, "listen address undefined: write one as text: "],
		[{ path: "/run/x" }, "listen address an object: write one as text: "],
	])("%j is refused, with what to write instead", async (address, message) => {
		const listening = new Server().listen(address as string);
		await expect(listening).rejects.toThrow(TypeError);
		await expect(listening).rejects.toThrow(message);
	});

	test("may be called several times", async () => {
		const first = await server.listen("127.0.0.1:0");
		const second = await server.listen("127.0.0.1:0");
		expect(await answers(first.address)).toBe(true);
		expect(await answers(second.address)).toBe(true);
		expect(server.snapshot().addresses).toEqual([
			first.address,
			second.address,
		]);
	});

	test("on a port in use rejects, naming the port and what to do", async () => {
		const { address } = await server.listen("127.0.0.1:0");
		const failure = new Server().listen(address);
		await expect(failure).rejects.toThrow(
			`cannot listen on ${address}: the port is in use; stop what listens there, or listen on another port (0 picks a free one)`,
		);
		await expect(failure).rejects.toMatchObject({
			code: "EADDRINUSE",
			cause: { code: "EADDRINUSE" },
		});
	});

	test("rejects an address of another machine and a name that does not exist", async () => {
		await expect(server.listen("192.0.2.1:0")).rejects.toThrow(
			/no such address/,
		);
		await expect(server.listen("no.such.host.invalid:0")).rejects.toThrow(
			/cannot listen on no\.such\.host\.invalid:0/,
		);
	});

	test.each([
		"",
		"localhost",
		"50051",
		":50051",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"::1:50051",
		"unix:",
		"http://127.0.0.1:50051",
	])('refuses "%s", which is no address', async (address) => {
		await expect(server.listen(address)).rejects.toMatchObject({
			name: "OptionError",
			message: expect.stringContaining(`"${address}"`),
		});
	});

	test("after shutdown rejects with an error that says so", async () => {
		await server.shutdown();
		await expect(server.listen("127.0.0.1:0")).rejects.toThrow(
			/has been shut down/,
		);
	});
});

describe("unix sockets", () => {
	test("have a path, and their file is removed with the server", async () => {
		const path = join(directory, "s.sock");
		const listening = await server.listen(`unix:${path}`);
		expect(listening).toEqual({ address: `unix:${path}`, port: 0 });
		expect(await answers(`unix:${path}`)).toBe(true);
		await server.shutdown();
		expect(existsSync(path)).toBe(false);
	});

	test("may have a relative path", async () => {
		const before = process.cwd();
		process.chdir(directory);
		try {
			await server.listen("unix:relative.sock");
			expect(await answers(`unix:${join(directory, "relative.sock")}`)).toBe(
				true,
			);
			await server.shutdown();
			expect(existsSync("relative.sock")).toBe(false);
		} finally {
			process.chdir(before);
		}
	});

	test.runIf(process.platform === "linux")("may be abstract", async () => {
		const name = `homing-${process.pid}-${Date.now()}`;
		const { address } = await server.listen(`unix-abstract:${name}`);
		expect(address).toBe(`unix-abstract:${name}`);
		expect(await answers(`unix:\0${name}`)).toBe(true);
	});

	test("replace the file that a dead process has left behind", async () => {
		const path = join(directory, "s.sock");
		const dead = spawn(process.execPath, [
			"-e",
			`require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`,
		]);
		await once(dead, "exit");
		expect(existsSync(path)).toBe(true);
		await server.listen(`unix:${path}`);
		expect(await answers(`unix:${path}`)).toBe(true);
	});

	test("are not taken from a process that uses them", async () => {
		const path = join(directory, "s.sock");
		const other: NetServer = createServer((socket) => socket.end("other"));
		other.listen(path);
		await once(other, "listening");
		await expect(server.listen(`unix:${path}`)).rejects.toThrow(
			/the socket is in use/,
		);
		const [greeting] = await once(connect(path), "data");
		expect(String(greeting)).toBe("other");
		other.close();
	});

	test("never replace a file that is no socket", async () => {
		const path = join(directory, "precious.txt");
		writeFileSync(path, "precious");
		await expect(server.listen(`unix:${path}`)).rejects.toThrow(
			/the file is no socket/,
		);
		expect(existsSync(path)).toBe(true);
	});

	test("in a directory that does not exist are refused with an error that says so", async () => {
		const path = join(directory, "none", "s.sock");
		await expect(server.listen(`unix:${path}`)).rejects.toThrow(
			/no such directory/,
		);
	});
});
