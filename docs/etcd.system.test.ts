import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DocsProject, snippetsOf } from "../testdata/harness/docs-project.ts";
import { EtcdServer, etcdMissing } from "../testdata/harness/etcd-server.ts";
import { freePort } from "../testdata/harness/free-port.ts";

/** Replaces the addresses and files of the page by those of the test. */
function projectOf(here: readonly (readonly [string, string])[]): DocsProject {
	return new DocsProject(
		snippetsOf("docs/etcd.md").map(({ file, text }) => ({
			file,
			text: here.reduce(
				(text, [there, here]) => text.replaceAll(there, here),
				text,
			),
		})),
	);
}

describe.skipIf(etcdMissing)("docs/etcd.md", { timeout: 120_000 }, () => {
	test("shows a server that is found and called, and that goes when it is told to", async () => {
		await using etcd = await EtcdServer.start();
		using project = projectOf([
			["127.0.0.1:2379", etcd.address],
			["0.0.0.0:50051", `127.0.0.1:${await freePort()}`],
		]);
		project.typeCheck();
		const server = project.start("server.ts");
		const keys = () => etcd.list("kitex/registry-etcd/greeter/");
		try {
			const [line] = await once(server.stdout as NodeJS.ReadableStream, "data");
			expect(String(line)).toBe("announced\n");
			expect(await keys()).toHaveLength(1);
			expect(await project.run("client.ts")).toBe("Hello, Ada!\n");
		} finally {
			server.kill("SIGTERM");
			await once(server, "close");
		}
		expect(server.signalCode).toBe("SIGTERM");
		expect(await keys()).toEqual([]);
	});

	test("shows how to reach a cluster with TLS and users", async () => {
		await using etcd = await EtcdServer.start({
			members: 3,
			tls: "server",
			auth: true,
		});
		await etcd.addUser("shop", "secret", "READWRITE", "services/");
		await etcd.grantRole("shop", "READ", "configs/");
		using project = projectOf(
			etcd.hosts.map((host, n) => [`etcd-${n}.example:2379`, host]),
		);
		writeFileSync(join(project.directory, "ca.pem"), etcd.tls?.ca ?? "");
		const environment = { ETCD_PASSWORD: "secret" };
		expect(await project.run("with-options.ts", environment)).toBe(
			"Hello, Ada!\n",
		);
		expect(await etcd.list("services/")).toEqual([]);
	});
});
