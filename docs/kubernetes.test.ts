import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { Channel } from "../src/client/channel.ts";
import {
	Health,
	HealthCheckResponse_ServingStatus,
} from "../src/server/gen/grpc/health/v1/health_pb.ts";
import { DocsProject, snippetsOf } from "../testdata/harness/docs-project.ts";
import { freePort } from "../testdata/harness/free-port.ts";
import { KubernetesApi } from "../testdata/harness/kubernetes-api.ts";
import { slice } from "../testdata/harness/slice-object.ts";
import { makeIdentity } from "../testdata/peers/node/certificates.ts";

describe("docs/kubernetes.md", { timeout: 120_000 }, () => {
	test("shows programs that compile, serve, are found and called", async () => {
		const authority = makeIdentity({ commonName: "cluster authority" });
		const hosts = ["127.0.0.1"];
		const identity = makeIdentity({
			commonName: "kube-apiserver",
			hosts,
			issuer: authority,
		});
		await using api = await KubernetesApi.start({ identity });
		const port = await freePort();
		const service = { service: "greeter" };
		const ports = [{ name: "grpc", port }];
		api.put(slice("greeter-1", ["127.0.0.1"], { ...service, ports }));

		// In a cluster, the program runs without these replacements.
		const here: readonly (readonly [string, string])[] = [
			["kubernetes:///", `kubernetes://127.0.0.1:${api.port}/`],
			["https://api.other-cluster.example:6443", api.origin],
			["/run/secrets/other-cluster/", "./"],
			["0.0.0.0:50051", `127.0.0.1:${port}`],
		];
		using project = new DocsProject(
			snippetsOf("docs/kubernetes.md").map(({ file, text }) => ({
				file,
				text: here.reduce(
					(text, [there, here]) => text.replaceAll(there, here),
					text,
				),
			})),
		);
		const ca = join(project.directory, "ca.crt");
		writeFileSync(ca, authority.certificate);
		writeFileSync(join(project.directory, "token"), "of the other cluster");
		project.typeCheck();

		const server = project.start("server.ts");
		try {
			// The request that kubelet sends.
			await using probe = new Channel(`127.0.0.1:${port}`);
			await probe.connect(AbortSignal.timeout(20_000));
			const { status } = await createClient(Health, probe).check({});
			expect(status).toBe(HealthCheckResponse_ServingStatus.SERVING);
			const environment = { NODE_EXTRA_CA_CERTS: ca };
			expect(await project.run("client.ts", environment)).toBe("Hello, Ada!\n");
			api.tokens = ["of the other cluster"];
			expect(await project.run("elsewhere.ts")).toBe("Hello, Ada!\n");
		} finally {
			server.kill("SIGTERM");
			await once(server, "close");
		}
		expect(server.signalCode).toBe("SIGTERM");
	});
});
