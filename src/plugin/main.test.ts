import { type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import {
	CodeGeneratorRequestSchema,
	type CodeGeneratorResponse,
	CodeGeneratorResponseSchema,
	FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
	type PluginBundle,
	pluginBundle,
} from "../../testdata/harness/plugin-bundle.ts";
import {
	syntheticFile,
	syntheticRequest,
} from "../../testdata/harness/synthetic.ts";
import { tool } from "../../testdata/harness/tool.ts";

interface Outcome {
	readonly code: number | null;
	readonly stdout: Buffer;
	readonly stderr: string;
}

let bundle: PluginBundle;

beforeAll(async () => {
	bundle = await pluginBundle();
});

afterAll(() => bundle[Symbol.asyncDispose]());

const directory = mkdtempSync(join(tmpdir(), "homing-main-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe("the process", () => {
	it("answers a request on standard input", async () => {
		const { code, stdout, stderr } = await plugin([], encoded(1));
		expect(response(stdout).file.map(({ name }) => name)).toEqual([
			"synthetic_rpc.ts",
		]);
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	});

	it("prints its version", async () => {
		const { version } = JSON.parse(
			readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
		);
		const { code, stdout } = await plugin(["--version"]);
		expect(String(stdout)).toBe(`protoc-gen-homing v${version}\n`);
		expect(code).toBe(0);
	});

	it("prints how it is used, with its own options", async () => {
		const { code, stdout } = await plugin(["--help"]);
		for (const option of [
			"emit=client|server|both",
			"grpc_service_config=PATH",
			"retry_max_attempts=N",
			"--export-options DIR",
		]) {
			expect(String(stdout)).toContain(option);
		}
		expect(code).toBe(0);
	});

	it("warns on standard error about a config that names a missing service, and still answers", async () => {
		const path = join(directory, "config.json");
		writeFileSync(
			path,
			JSON.stringify({
				methodConfig: [
					{
						name: [
							{ service: "synthetic.Service0", method: "Metod1" },
							{ service: "synthetic.Service0", method: "Method2" },
							{ service: "elsewhere.Service" },
							{},
						],
						timeout: "1s",
					},
				],
			}),
		);
		for (const target of ["ts", "js+dts"]) {
			const request = {
				...syntheticRequest(1),
				parameter: `target=${target},grpc_service_config=${path}`,
			};
			const { code, stdout, stderr } = await plugin(
				[],
				toBinary(CodeGeneratorRequestSchema, request),
			);
			expect(stderr).toBe(
				`protoc-gen-homing: warning: grpc_service_config=${path}: synthetic.Service0 has no method Metod1; did you mean Method1?\n`,
			);
			expect(response(stdout).error).toBe("");
			expect(code).toBe(0);
		}
	});

	it("exports homing/options.proto, which passes buf lint", async ({
		skip,
	}) => {
		await tool("buf", skip);
		const root = join(directory, "workspace");
		const { code, stdout, stderr } = await plugin([
			"--export-options",
			join(root, "proto"),
		]);
		const path = join(root, "proto/homing/options.proto");
		expect({ code, stdout: String(stdout), stderr }).toEqual({
			code: 0,
			stdout: `${path}\n`,
			stderr: "",
		});
		expect(readFileSync(path, "utf8")).toBe(
			readFileSync(
				new URL("../../proto/homing/options.proto", import.meta.url),
				"utf8",
			),
		);
		writeFileSync(
			join(root, "buf.yaml"),
			"version: v2\nmodules: [{ path: proto }]\n",
		);
		const lint = await outcome("buf", ["lint"], undefined, { cwd: root });
		expect([lint.code, String(lint.stdout), lint.stderr]).toEqual([0, "", ""]);
		// A second time, it overwrites the file.
		expect((await plugin(["--export-options", join(root, "proto")])).code).toBe(
			0,
		);
	});

	it.for([
		[[], "takes one argument, the directory"],
		[[""], "takes one argument, the directory"],
		[["a", "b"], "takes one argument, the directory"],
		[["/dev/null"], "--export-options /dev/null: E"],
	] as const)(
		"exports nothing to %j, and says why",
		async ([parameters, message]) => {
			const { code, stdout, stderr } = await plugin([
				"--export-options",
				...parameters,
			]);
			expect(stderr).toContain(message);
			expect(stdout).toHaveLength(0);
			expect(code).toBe(1);
		},
	);

	it("refuses an unknown argument, and says where options go", async () => {
		const { code, stdout, stderr } = await plugin(["--emit=client"]);
		expect(stderr).toMatch(/--emit=client is not an argument.*--homing_opt/);
		expect(stdout).toHaveLength(0);
		expect(code).toBe(1);
	});

	it.for([
		["no bytes", new Uint8Array(), /0 bytes\) names no file to generate/],
		[
			"bytes that are not a message",
			Buffer.from("hello"),
			/5 bytes\) is not a/,
		],
		[
			"half a request",
			encoded(1).subarray(0, 500),
			/500 bytes\) is not a complete/,
		],
	] as const)(
		"gives no answer to %s, and says why",
		async ([, input, message]) => {
			const { code, stdout, stderr } = await plugin([], input);
			expect(stderr).toMatch(message);
			expect(stderr.split("\n")).toHaveLength(2);
			expect(stdout).toHaveLength(0);
			expect(code).toBe(1);
		},
	);

	it("puts an error into the answer, as plugins should, if the request is impossible", async () => {
		const request = {
			...syntheticRequest(1),
			parameter: "target=ts,retries=3",
		};
		const { code, stdout, stderr } = await plugin(
			[],
			toBinary(CodeGeneratorRequestSchema, request),
		);
		const { error, file, supportedFeatures } = response(stdout);
		expect(error).toMatch(/^invalid option "retries=3": retries is not an opt/);
		expect(file).toEqual([]);
		expect(supportedFeatures).toBe(3n);
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
	});

	it("does not wait for a request if standard input is a terminal", async ({
		skip,
	}) => {
		await tool("script", skip);
		const command = [process.execPath, "-e", `'${run()}'`].join(" ");
		const { code, stdout } = await outcome("script", [
			...["--quiet", "--return", "--command", command, "/dev/null"],
		]);
		expect(String(stdout)).toContain("standard input is a terminal");
		expect(String(stdout)).toContain("buf.gen.yaml");
		expect(code).toBe(1);
	});

	it("writes an answer that is larger than a pipe's buffer", async () => {
		const { code, stdout } = await plugin([], encoded(125));
		expect(stdout.length).toBeGreaterThan(500_000);
		expect(response(stdout).file).toHaveLength(1);
		expect(code).toBe(0);
	});

	it("reports an error if the answer cannot be written", async () => {
		const child = spawn(process.execPath, ["-e", run()]);
		child.stdout.destroy();
		child.stdin.end(encoded(125));
		const [stderr, [code]] = await Promise.all([
			buffer(child.stderr),
			once(child, "close"),
		]);
		expect(String(stderr)).toMatch(
			/^protoc-gen-homing: cannot write the answer to standard output: .*EPIPE.*\n$/,
		);
		expect(code).toBe(1);
	});

	it("reads and writes pipes that do not block", async () => {
		// A Node process makes its standard streams non-blocking for all who share
		// them, and ends that when it ends, unless it is killed.
		const node = JSON.stringify(process.execPath);
		const unblock =
			'process.stdin; process.stdout; process.kill(process.pid, "SIGKILL")';
		const shell = spawn("sh", [
			"-c",
			`${node} -e '${unblock}'; ${node} -e 'fs.writeSync(1, "!"); ${run()}'`,
		]);
		const output = buffer(shell.stdout);
		await once(shell.stdout, "data");
		const request = encoded(125);
		shell.stdin.write(request.subarray(0, 1000));
		shell.stdin.end(request.subarray(1000));
		expect(response((await output).subarray(1)).file).toHaveLength(1);
	});

	it("accepts a request of 40 MB", { timeout: 120_000 }, async () => {
		const part = Buffer.from(
			toBinary(FileDescriptorProtoSchema, syntheticFile("large/part00", 500)),
		).toString("latin1");
		const request = create(CodeGeneratorRequestSchema, {
			fileToGenerate: ["large/part00.proto"],
		});
		const chunks = [toBinary(CodeGeneratorRequestSchema, request)];
		for (let n = 0; n < 22; n++) {
			const name = `part${String(n).padStart(2, "0")}`;
			chunks.push(
				field(15, Buffer.from(part.replaceAll("part00", name), "latin1")),
			);
		}
		const bytes = Buffer.concat(chunks);
		expect(bytes.length).toBeGreaterThan(40e6);
		const { code, stdout } = await plugin([], bytes);
		expect(response(stdout).file[0]?.name).toBe("large/part00_rpc.ts");
		expect(code).toBe(0);
	});
});

/** Encodes a length-delimited field of a message. */
function field(number: number, value: Uint8Array): Uint8Array<ArrayBuffer> {
	return new BinaryWriter().tag(number, 2).bytes(value).finish();
}

/** The script of a process that runs the plugin. */
function run(): string {
	return `require(${JSON.stringify(bundle.path)}).main(process.argv.slice(1)).then((code) => { process.exitCode = code; })`;
}

function plugin(
	parameters: readonly string[],
	stdin: Uint8Array = new Uint8Array(),
): Promise<Outcome> {
	return outcome(process.execPath, ["-e", run(), "--", ...parameters], stdin);
}

async function outcome(
	program: string,
	parameters: readonly string[],
	stdin: Uint8Array = new Uint8Array(),
	options: SpawnOptions = {},
): Promise<Outcome> {
	const child = spawn(program, parameters, { ...options, stdio: "pipe" });
	child.stdin.on("error", () => {}).end(stdin);
	const [stdout, stderr, [code]] = await Promise.all([
		buffer(child.stdout),
		buffer(child.stderr),
		once(child, "close"),
	]);
	return { code, stdout, stderr: String(stderr) };
}

function encoded(services: number): Uint8Array {
	return toBinary(CodeGeneratorRequestSchema, syntheticRequest(services));
}

function response(bytes: Uint8Array): CodeGeneratorResponse {
	return fromBinary(CodeGeneratorResponseSchema, bytes);
}
