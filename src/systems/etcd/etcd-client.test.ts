import { expect, test } from "vitest";
import { freePort } from "../../../testdata/harness/free-port.ts";
import { ScriptedEtcd } from "../../../testdata/harness/scripted-etcd.ts";
import { EtcdClient } from "./etcd-client.ts";
import { keysUnder } from "./key-range.ts";
import { etcdSetting } from "./options.ts";

test("a call after an outage of etcd does not wait for the channel's backoff", async () => {
	const port = await freePort();
	const hosts = [`127.0.0.1:${port}`];
	const client = new EtcdClient(etcdSetting({ hosts }));
	for (let times = 0; times < 3; times++) {
		const asked = client.range(keysUnder("p"));
		await expect(asked).rejects.toThrow("ECONNREFUSED");
	}
	const kv = { range: () => ({ header: { revision: 5n } }) };
	await using _ = await ScriptedEtcd.start({ kv }, port);
	const began = performance.now();
	const { header } = await client.range(keysUnder("p"));
	expect(header?.revision).toBe(5n);
	expect(performance.now() - began).toBeLessThan(500);
	await client.close();
});

test("responses may be larger than homing's default limit", async () => {
	const value = new Uint8Array(1024 * 1024);
	const kvs = Array.from({ length: 5 }, () => ({ value }));
	await using etcd = await ScriptedEtcd.start({
		kv: { range: () => ({ kvs }) },
		watch: async function* () {
			yield { events: kvs.map((kv) => ({ kv })) };
		},
	});
	const client = new EtcdClient(etcdSetting({ hosts: etcd.hosts }));
	expect((await client.range(keysUnder("p"))).kvs).toHaveLength(5);
	const stream = await client.watch(new AbortController().signal);
	const createRequest = { case: "createRequest", value: {} } as const;
	await stream.send({ requestUnion: createRequest });
	expect((await stream.recv())?.events).toHaveLength(5);
	stream.cancel();
	await client.close();
});
