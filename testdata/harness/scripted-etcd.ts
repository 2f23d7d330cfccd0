import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { Server } from "../../src/server/server.ts";
import {
	Auth,
	KV,
	Lease,
	Watch,
	type WatchRequest,
	type WatchResponseSchema,
} from "../../src/systems/etcd/gen/etcd/etcd_pb.ts";

export type Answers = AsyncIterable<
	MessageInitShape<typeof WatchResponseSchema>
>;

/** What a member of etcd does, as scripted by a test. */
export interface EtcdScript {
	readonly kv?: Partial<ServiceImpl<typeof KV>> | undefined;
	readonly lease?: Partial<ServiceImpl<typeof Lease>> | undefined;
	readonly auth?: Partial<ServiceImpl<typeof Auth>> | undefined;
	/** Handles a watch. `number` counts watches from 1. `requests` are its requests for progress. */
	watch?(requests: AsyncIterable<WatchRequest>, number: number): Answers;
}

/** A scripted etcd that does what real ones rarely do. */
export class ScriptedEtcd implements AsyncDisposable {
	readonly hosts: readonly string[];
	/** The start revision of each watch. */
	readonly starts: bigint[] = [];
	/** Whether each watch asked for progress notifications. */
	readonly notified: boolean[] = [];
	/** The number of requests for progress so far. */
	progressRequests = 0;
	readonly #server: Server;

	/** @param port the port; by default a free one */
	static async start(script: EtcdScript, port = 0): Promise<ScriptedEtcd> {
		const server = new Server();
		const { address } = await server.listen(`127.0.0.1:${port}`);
		return new ScriptedEtcd(server, address, script);
	}

	private constructor(server: Server, address: string, script: EtcdScript) {
		this.#server = server;
		this.hosts = [address];
		if (script.kv) server.add(KV, script.kv);
		if (script.lease) server.add(Lease, script.lease);
		if (script.auth) server.add(Auth, script.auth);
		if (script.watch) {
			const { watch } = script;
			server.add(Watch, {
				watch: (requests) => this.#watch(requests, watch),
			});
		}
	}

	async *#watch(
		requests: AsyncIterable<WatchRequest>,
		watch: NonNullable<EtcdScript["watch"]>,
	): Answers {
		const iterator = requests[Symbol.asyncIterator]();
		const first = await iterator.next();
		if (first.value?.requestUnion.case === "createRequest") {
			const { startRevision, progressNotify } = first.value.requestUnion.value;
			this.starts.push(startRevision);
			this.notified.push(progressNotify);
		}
		yield* watch(this.#counted(iterator), this.starts.length);
	}

	async *#counted(
		requests: AsyncIterator<WatchRequest>,
	): AsyncIterable<WatchRequest> {
		for (;;) {
			const { done, value } = await requests.next();
			if (done) return;
			this.progressRequests += 1;
			yield value;
		}
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.#server.shutdown({ graceMs: 0 });
	}
}
