import { createChannel, createClient } from "nice-grpc";
import type { Order, Parcel } from "../gen/bench_pb.ts";
import { benchDefinition } from "../grpc-definition.ts";
import type { BenchClient } from "./client.ts";

/** The type of the client that the definition produces. */
interface Methods {
	echo(parcel: Parcel): Promise<Parcel>;
	stream(order: Order): AsyncIterable<Parcel>;
}

export function connect(address: string): BenchClient {
	const client = createClient(
		benchDefinition,
		createChannel(address),
	) as unknown as Methods;
	return {
		echo: (parcel) => client.echo(parcel),
		async stream(order) {
			let count = 0;
			for await (const _ of client.stream(order)) count++;
			return count;
		},
	};
}
