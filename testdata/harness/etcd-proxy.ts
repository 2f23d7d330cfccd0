import { etcdServer } from "../peers/node/recipes.ts";
import { builtProgram } from "./built-program.ts";
import { Daemon } from "./daemon.ts";
import type { EtcdServer } from "./etcd-server.ts";
import { freePort } from "./free-port.ts";

/** The proxy of etcd in front of a cluster: `etcd grpc-proxy`. */
export class EtcdProxy extends Daemon implements AsyncDisposable {
	/** The "host:port" for clients. */
	readonly address: string;

	static async before({ hosts }: EtcdServer): Promise<EtcdProxy> {
		const program = builtProgram(etcdServer);
		const proxy = new EtcdProxy(program, hosts, await freePort());
		await proxy.start();
		return proxy;
	}

	private constructor(program: string, hosts: readonly string[], port: number) {
		const address = `127.0.0.1:${port}`;
		const from = `--endpoints=${hosts.join(",")}`;
		super({
			name: "etcd's proxy",
			program,
			args: ["grpc-proxy", "start", from, `--listen-addr=${address}`],
			isReady: () =>
				fetch(`http://${address}/health`).then(
					({ ok }) => ok,
					() => false,
				),
		});
		this.address = address;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.kill();
	}
}
