import { describe, expect, test } from "vitest";
import { ConsulAgent, consulMissing } from "./consul-agent.ts";

const service = {
	Name: "payment",
	ID: "p1",
	Address: "10.0.0.1",
	Port: 1,
};

describe.skipIf(consulMissing)("a Consul agent of a test", () => {
	test("starts, is killed, and starts again where it was, knowing nothing", async () => {
		await using agent = await ConsulAgent.start();
		await agent.register(service);
		await agent.kill();
		await agent.start();
		expect(await agent.ask("GET", "agent/services")).toEqual({});
	});

	test("that keeps its data knows what it knew", async () => {
		await using agent = await ConsulAgent.start({ keepsData: true });
		await agent.register(service);
		await agent.kill();
		await agent.start();
		expect(await agent.ask("GET", "agent/services")).toHaveProperty("p1");
	});

	test("with ACLs refuses whoever has no token, and gives tokens", async () => {
		await using agent = await ConsulAgent.start({ acl: true });
		const list = async (token: string): Promise<number> => {
			const url = `http://${agent.address}/v1/agent/self`;
			return (await fetch(url, { headers: { "x-consul-token": token } }))
				.status;
		};
		expect(await list("")).toBe(403);
		const token = await agent.token('agent_prefix "" { policy = "read" }');
		expect(await list(token)).toBe(200);
	});

	test("listens at an IPv6 address", async () => {
		await using agent = await ConsulAgent.start({ host: "::1" });
		expect(agent.address).toMatch(/^\[::1\]:\d+$/);
		await agent.register(service);
	});
});
