import type { Order, Parcel } from "../gen/bench_pb.ts";

/** A measured client. Each implements these calls in the way that its library documents. */
export interface BenchClient {
	echo(parcel: Parcel): Promise<Parcel>;
	/** Receives a stream of the ordered parcels. Returns how many arrived. */
	stream(order: Order): Promise<number>;
}

/** Connects to "host:port" in plaintext. */
export type ConnectClient = (address: string) => BenchClient;
