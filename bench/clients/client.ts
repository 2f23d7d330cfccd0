import type { Order, Parcel } from "../gen/bench_pb.ts";

/** A client under measurement: each does these two in the idiom that its library documents. */
export interface BenchClient {
	echo(parcel: Parcel): Promise<Parcel>;
	/** Receives all that is ordered, and says how many parcels came. */
	stream(order: Order): Promise<number>;
}

/** `address`: "host:port", in plaintext. */
export type ConnectClient = (address: string) => BenchClient;
