import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
	ConsulAgent,
	consulMissing,
} from "../testdata/harness/consul-agent.ts";
import { DocsProject, snippetsOf } from "../testdata/harness/docs-project.ts";
import { freePort } from "../testdata/harness/free-port.ts";
import { makeIdentity } from "../testdata/peers/node/certificates.ts";

/** Replaces the addresses and files of the page by those of the test. */
function projectOf(here: readonly (readonly [string, string])[]): DocsProject {
	return new DocsProject(
		snippetsOf("docs/consul.md").map(({ file, text }) => ({
			file,
			text: here.reduce(
				(text, [there, here]) => text.replaceAll(there, here),
				text,
			),
		})),
	);
}

describe.skipIf(consulMissing)("docs/consul.md", { timeout: 120_000 }, () => {
	test("shows a server that is found and called, and that goes when it is told to", async () => {
		await using consul = await ConsulAgent.start();
		using project = projectOf([
			["127.0.0.1:8500", consul.address],
			["0.0.0.0:50051", `127.0.0.1:${await freePort()}`],
		]);
		project.typeCheck();
		const server = project.start("server.ts");
		const services = () => consul.ask<object>("GET", "agent/services");
		try {
			const [line] = await once(server.stdout as NodeJS.ReadableStream, "data");
			expect(String(line)).toBe("announced\n");
			expect(Object.keys(await services())).toEqual([
				expect.stringMatching(/^greeter:127\.0\.0\.1:\d+$/),
			]);
			expect(await project.run("client.ts")).toBe("Hello, Ada!\n");
		} finally {
			server.kill("SIGTERM");
			await once(server, "close");
		}
		expect(server.signalCode).toBe("SIGTERM");
		expect(await services()).toEqual({});
	});

	test("shows how to reach an agent with TLS and ACLs, by the policies that it names", async () => {
		const authority = makeIdentity({ commonName: "authority" });
		const identity = makeIdentity({
			commonName: "agent",
			hosts: ["127.0.0.1"],
			issuer: authority,
		});
		await using consul = await ConsulAgent.start({
			acl: true,
			tls: { identity },
		});
		using project = projectOf([["127.0.0.1:8501", consul.secureAddress]]);
		writeFileSync(join(project.directory, "ca.pem"), authority.certificate);
		const token = await consul.token(
			'service "greeter" { policy = "write" } node_prefix "" { policy = "read" } key "config/greeter" { policy = "read" }',
		);
		const environment = { GREETER_TOKEN: token };
		expect(await project.run("with-options.ts", environment)).toBe(
			"Hello, Ada!\n",
		);
		expect(await consul.ask("GET", "agent/services")).toEqual({});
	});
});
