import { execFile } from "node:child_process";
import {
	cp,
	mkdir,
	mkdtemp,
	readdir,
	readFile,
	symlink,
	writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installedProject, type Project } from "./harness/project.ts";
import { root } from "./harness/requests.ts";
import { tool } from "./harness/tool.ts";

let project: Project;

beforeAll(async () => {
	project = await installedProject();
});

afterAll(async () => {
	await project[Symbol.asyncDispose]();
});

describe("the installed plugin", () => {
	const services = join(root, "testdata/services");

	beforeAll(async () => {
		await mkdir(join(project.directory, "proto"));
		for (const proto of ["echo", "ecommerce", "hello", "microservice"]) {
			const copy = join(project.directory, "proto", proto);
			await cp(join(services, proto), copy, { recursive: true });
		}
	});

	it.for(["directory", "all"])(
		"is run by buf generate with strategy %s",
		async (strategy) => {
			const out = `by-buf-${strategy}`;
			await writeFile(
				join(project.directory, "buf.gen.yaml"),
				JSON.stringify({
					version: "v2",
					inputs: [{ directory: "proto" }],
					plugins: [
						{
							local: "protoc-gen-homing",
							out,
							strategy,
							opt: committedOptions,
						},
					],
				}),
			);
			await project.run("buf", "generate");
			expect(await generated(join(project.directory, out))).toEqual(
				await generated(join(services, "gen")),
			);
		},
	);

	it("works with protoc", async ({ skip }) => {
		await tool("protoc", skip);
		await mkdir(join(project.directory, "by-protoc"));
		const protos = await readdir(join(project.directory, "proto"), {
			recursive: true,
		});
		await project.run(
			"protoc",
			"--proto_path=proto",
			"--homing_out=by-protoc",
			`--homing_opt=${committedOptions.join(",")}`,
			...protos.filter((path) => path.endsWith(".proto")),
		);
		expect(await generated(join(project.directory, "by-protoc"))).toEqual(
			await generated(join(services, "gen")),
		);
	});
});

describe("the generated code in the repository", () => {
	it.for(["src/gen", "src/server/gen", "testdata/services"])(
		"is what %s/buf.gen.yaml generates (npm run generate does)",
		async (directory) => {
			const output = await mkdtemp(join(project.directory, "repository-"));
			await promisify(execFile)(
				join(root, "node_modules/.bin/buf"),
				["generate", "--template", `${directory}/buf.gen.yaml`, "-o", output],
				{ cwd: root },
			);
			const paths = (await readdir(output, { recursive: true })).filter(
				(path) => path.endsWith(".ts"),
			);
			expect(paths).not.toHaveLength(0);
			for (const path of paths) {
				const [now, committed] = await Promise.all(
					[output, root].map((base) => readFile(join(base, path), "utf8")),
				);
				expect(committed, path).toBe(now);
			}
		},
	);
});

describe("docs/plugin.md", () => {
	let page: string;

	beforeAll(async () => {
		page = await readFile(join(root, "docs/plugin.md"), "utf8");
		for (const [, file = "", text = ""] of page.matchAll(
			/^```\w+ (\S+)\n(.*?)^```$/gms,
		)) {
			const path = join(project.directory, "docs", file);
			await mkdir(dirname(path), { recursive: true });
			await writeFile(path, text);
		}
		await symlink(
			"../node_modules",
			join(project.directory, "docs/node_modules"),
		);
	});

	it("shows a setup that works with buf", async () => {
		await project.run("sh", "-c", "cd docs && buf generate && node client.ts");
		const messages = await readFile(
			join(project.directory, "docs/gen/payment/v1/payment_pb.ts"),
			"utf8",
		);
		expect(messages).toContain('from "homing/options/');
	});

	it("shows a setup that works if buf finds no protos in node_modules", async () => {
		const [, command = ""] = /`(npx protoc-gen-homing --.*?)`/.exec(page) ?? [];
		await project.run(
			"sh",
			"-ec",
			`rm -rf exported && mkdir exported && cp -r docs/proto docs/buf.gen.yaml docs/client.ts exported
			cd exported && echo 'version: v2\nmodules: [{ path: proto }]' > buf.yaml
			${command} && buf generate && node client.ts`,
		);
	});

	it("shows a setup that works with protoc", async ({ skip }) => {
		await tool("protoc", skip);
		const [, command = ""] = /^```sh\n(.*?)^```$/ms.exec(page) ?? [];
		expect(command).toContain("protoc");
		await project.run(
			"sh",
			"-ec",
			`cd docs && rm -rf gen && ${command} node client.ts`,
		);
	});

	it("lists all options of the plugin itself", () => {
		for (const option of [
			"emit=",
			"grpc_service_config=",
			"retry_max_attempts=",
		]) {
			expect(page).toContain(`| \`${option}`);
		}
	});
});

/** With which the code in the repository is generated. */
const committedOptions = [
	"target=ts",
	"import_extension=ts",
	"elide_plugin_version=true",
];

/** The files in a directory that homing generated, by path. */
async function generated(directory: string): Promise<[string, string][]> {
	const paths = await readdir(directory, { recursive: true });
	return Promise.all(
		paths
			.filter((path) => path.endsWith("_rpc.ts"))
			.sort()
			.map(
				async (path): Promise<[string, string]> => [
					path,
					await readFile(join(directory, path), "utf8"),
				],
			),
	);
}
