import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { snippetsOf } from "../testdata/harness/docs-project.ts";
import { freePort } from "../testdata/harness/free-port.ts";
import {
	node22Missing,
	node22Program,
} from "../testdata/harness/other-node.ts";
import { installedProject, type Project } from "../testdata/harness/project.ts";
import { root } from "../testdata/harness/requests.ts";

/** Installing, generating and compiling a project takes long. */
const timeout = 180_000;

describe.skipIf(node22Missing)(
	node22Missing ?? "the README's first project",
	{ timeout },
	() => {
		let project: Project;
		let port: string;
		beforeAll(async () => {
			port = String(await freePort());
			project = await installedProject();
			const [first = ""] =
				/^npm init .*$/m.exec(readFileSync(join(root, "README.md"), "utf8")) ??
				[];
			expect(first).not.toBe("");
			await project.run("sh", "-ec", first);
			await project.write(
				snippetsOf("README.md").map(({ file, text }) => ({
					file,
					text: text
						.replaceAll("50051", port)
						// The machine may be busy.
						.replaceAll('"2s"', '"60s"'),
				})),
			);
			await project.run("buf", "generate");
		}, timeout);
		afterAll(() => project?.[Symbol.asyncDispose]());

		test("compiles", async () => {
			expect(await project.run("tsc")).toBe("");
		});

		test.each([
			["the newest Node", () => process.execPath],
			["Node 22", node22Program],
		] as const)("runs without compilation on %s", async (_, node) => {
			const server = spawn(node(), ["server.ts"], {
				cwd: project.directory,
				stdio: ["ignore", "pipe", "inherit"],
			});
			try {
				const [line] = await once(server.stdout, "data");
				expect(String(line)).toBe(`listening on 127.0.0.1:${port}\n`);
				expect(await project.run(node(), "client.ts")).toBe("Hello, Ada!\n");
			} finally {
				server.kill("SIGTERM");
				await once(server, "close");
			}
			expect(await project.run(node(), "greeter.test.ts")).toBe("");
		});
	},
);
