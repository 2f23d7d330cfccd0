import {
	type ClientReadableStream,
	credentials,
	makeClientConstructor,
	type ServiceError,
} from "@grpc/grpc-js";
import type { Order, Parcel } from "../gen/bench_pb.ts";
import { benchDefinition } from "../grpc-definition.ts";
import type { BenchClient } from "./client.ts";

/** The type of the client that the definition produces. */
interface Methods {
	echo(
		parcel: Parcel,
		callback: (error: ServiceError | null, answer: Parcel) => void,
	): void;
	stream(order: Order): ClientReadableStream<Parcel>;
}

const Client = makeClientConstructor(benchDefinition, "Bench");

export function connect(address: string): BenchClient {
	const client = new Client(
		address,
		credentials.createInsecure(),
	) as unknown as Methods;
	return {
		echo: (parcel) =>
			new Promise((resolve, reject) => {
				client.echo(parcel, (error, answer) => {
					if (error === null) resolve(answer);
					else reject(error);
				});
			}),
		stream: (order) =>
			new Promise((resolve, reject) => {
				let count = 0;
				const call = client.stream(order);
				call.on("data", () => count++);
				call.on("error", reject);
				call.on("end", () => resolve(count));
			}),
	};
}
