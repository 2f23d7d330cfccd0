import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Bench } from "../gen/bench_pb.ts";
import type { BenchClient } from "./client.ts";

export function connect(address: string): BenchClient {
	const client = createClient(
		Bench,
		createGrpcTransport({ baseUrl: `http://${address}` }),
	);
	return {
		echo: (parcel) => client.echo(parcel),
		async stream(order) {
			let count = 0;
			for await (const _ of client.stream(order)) count++;
			return count;
		},
	};
}
