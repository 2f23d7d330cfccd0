import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { builtProgram } from "../testdata/harness/built-program.ts";
import {
	ConsulAgent,
	consulMissing,
} from "../testdata/harness/consul-agent.ts";
import { DocsProject, snippetsOf } from "../testdata/harness/docs-project.ts";
import { kitexMissing } from "../testdata/peers/node/kitex.ts";
import { kitexPeer } from "../testdata/peers/node/recipes.ts";

const snippets = snippetsOf("docs/kitex.md");

test("docs/kitex.md shows the Go programs that are built", () => {
	const shown = snippets.filter(({ file }) => file.endsWith(".go"));
	expect(shown).toHaveLength(2);
	for (const { file, text } of shown) {
		const source = new URL(`../testdata/peers/kitex/${file}`, import.meta.url);
		expect(text.replaceAll("example.com/greeter/", "homing.test/kitex/")).toBe(
			readFileSync(source, "utf8"),
		);
	}
});

const missing = kitexMissing ?? consulMissing;
const title = missing ?? "docs/kitex.md shows programs that call each other";

describe.skipIf(missing)(title, { timeout: 120_000 }, () => {
	test("homing calls Kitex, and Kitex calls homing", async () => {
		await using agent = await ConsulAgent.start();
		const environment = { CONSUL_HTTP_ADDR: agent.address };
		const passing = (service: string) =>
			vi.waitFor(
				async () =>
					expect(
						await agent.ask("GET", `health/service/${service}?passing`),
					).toHaveLength(1),
				{ timeout: 20_000 },
			);
		using project = new DocsProject(
			snippets
				.filter(({ file }) => file.endsWith(".ts"))
				.map(({ file, text }) => ({
					file,
					text: text.replaceAll("127.0.0.1:8500", agent.address),
				})),
		);
		project.typeCheck();
		const { persistent } = await import(`${project.directory}/pass-on.ts`);
		const requestHeader = {
			"rpc-persist-tenant": "blue",
			"rpc-transit-a": "1",
		};
		expect(persistent({ requestHeader: new Headers(requestHeader) })).toEqual([
			["rpc-persist-tenant", "blue"],
		]);
		const built = builtProgram(kitexPeer);
		const kitex = spawn(`${built}/greeter-server`, {
			stdio: "ignore",
			env: { ...process.env, ...environment },
		});
		const homing = project.start("serve-kitex.ts");
		const ended = [once(kitex, "close"), once(homing, "close")];
		try {
			await Promise.all([passing("greeter"), passing("homing-greeter")]);
			expect(await project.run("call-kitex.ts")).toBe(
				"served by Kitex\nHello, Ada of blue!\n",
			);
			const { stdout } = await promisify(execFile)(`${built}/greeter-client`, {
				env: { ...process.env, ...environment },
			});
			expect(stdout).toBe("Hello, Ada of blue! Served by [homing]\n");
		} finally {
			kitex.kill();
			// Kills the server, to skip the 6 s for which it would wait for clients.
			homing.kill("SIGKILL");
			await Promise.all(ended);
		}
	});
});
